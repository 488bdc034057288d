import { z } from 'zod'

const file = z.string().min(1)

/** A broker, and who we are there. Shared by gateway and EVSE agent. */
export const brokerConfigSchema = z.strictObject({
  url: z
    .string()
    .regex(/^mqtts?:\/\/[^/\s]+$/, 'mqtt://host:port or mqtts://host:port')
    .describe('`mqtts://host:8883`, or `mqtt://host:1883` on a network that is trusted.'),
  caFile: file
    .optional()
    .describe("Certificates (PEM) of who may have signed the broker's. Absent: the system's. Only with mqtts."),
  certFile: file.optional().describe('Client certificate (PEM) with its chain. Absent: none is shown.'),
  keyFile: file.optional().describe('Its private key (PEM), mode 600.'),
  username: z
    .string()
    .min(1)
    .max(128)
    .optional()
    .describe("Absent: none is sent; a broker may take the certificate's common name."),
  passwordFile: file.optional().describe('File with the password in its first line, mode 600.'),
  protocol: z
    .enum(['auto', '5', '3.1.1'])
    .default('auto')
    .describe('`auto`: MQTT 5, and 3.1.1 when the broker refuses it.'),
  keepaliveSeconds: z
    .number()
    .int()
    .min(1)
    .max(600)
    .default(15)
    .describe('Seconds without traffic after which the connection is tried. 1 to 600.'),
})
export type BrokerConfig = z.infer<typeof brokerConfigSchema>
