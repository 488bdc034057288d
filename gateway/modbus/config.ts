import { z } from 'zod'

/** Registers that one request may ask for (Modbus application protocol 1.1b3, clauses 6.3 and 6.4). */
export const MAX_REGISTERS_PER_READ = 125
/** Devices of one gateway; each is a connection and a request at a time. */
const MAX_DEVICES = 1_024
/** Registers of one device: some tens of EVSEs behind one controller, a dozen registers each. */
const MAX_REGISTERS = 1_024

export const QUANTITIES = ['temperature', 'power', 'voltage', 'frequency', 'snr', 'contactor', 'heartbeat'] as const
export type Quantity = (typeof QUANTITIES)[number]

export const REGISTER_TYPES = ['u16', 'i16', 'u32', 'i32', 'f32'] as const
export type RegisterType = (typeof REGISTER_TYPES)[number]

/** What can be true, in the quantity's unit. Outside of it the register is wrong, whatever it is that is wrong. */
export const PLAUSIBLE: Readonly<Record<Quantity, readonly [min: number, max: number]>> = {
  /** °C: what sensors of chargers cover. */
  temperature: [0, 150],
  /** W: wider than any rated power, so that exports above it reach the guard and stop the EVSE. */
  power: [-10_000_000, 10_000_000],
  /** V. 0 is plausible: the grid may be gone. */
  voltage: [0, 50_000],
  /** Hz. */
  frequency: [40, 70],
  /** dB. */
  snr: [-20, 100],
  /** 0 open, anything else closed. */
  contactor: [0, 65_535],
  /** A counter that moves as long as the device's program runs. */
  heartbeat: [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
}

export const WORDS: Readonly<Record<RegisterType, 1 | 2>> = { u16: 1, i16: 1, u32: 2, i32: 2, f32: 2 }

const registerSchema = z
  .strictObject({
    evse: z.string().min(1).describe('Name of the EVSE that it measures.'),
    quantity: z
      .enum(QUANTITIES)
      .describe(
        'temperature (°C; several: the hottest counts), power (W, into the grid), voltage (V), frequency (Hz), snr (dB), contactor (0: open), or heartbeat: a counter without which nothing of the EVSE is believed.',
      ),
    function: z
      .union([z.literal(3), z.literal(4)])
      .default(3)
      .describe('3: holding registers, 4: input registers.'),
    address: z
      .number()
      .int()
      .min(0)
      .max(65_535)
      .describe('As in the request, from 0. (Manuals’ 40001 is address 0 of function 3.)'),
    type: z
      .enum(REGISTER_TYPES)
      .default('u16')
      .describe('One of u16, i16, u32, i32, f32; those of 32 bits take two registers.'),
    wordOrder: z.enum(['big', 'little']).default('big').describe('big: the more significant register first.'),
    scale: z
      .number()
      .default(1)
      .describe('Value × scale + offset is in the quantity’s unit; −1 turns a power that counts into the car.'),
    offset: z.number().default(0).describe('In the quantity’s unit.'),
    min: z.number().optional().describe('Less is not plausible. Default by quantity; temperature 0 °C.'),
    max: z.number().optional().describe('More is not plausible. Default by quantity; temperature 150 °C.'),
    stuckMs: z
      .number()
      .int()
      .min(0)
      .max(86_400_000)
      .default(0)
      .describe(
        'A value other than 0 that has not moved by a bit for so long is not believed, ms. 0: it may stay (heartbeat: 5 s).',
      ),
  })
  .refine((register) => register.scale !== 0 && Number.isFinite(register.scale), { message: 'scale must not be 0' })
  .refine((register) => register.address + WORDS[register.type] <= 65_536, {
    message: 'address: the value ends beyond 65535',
  })
  .refine(
    (register) => (register.min ?? PLAUSIBLE[register.quantity][0]) < (register.max ?? PLAUSIBLE[register.quantity][1]),
    {
      message: 'min must be less than max',
    },
  )

const deviceSchema = z
  .strictObject({
    name: z.string().min(1).describe('In logs, metrics and status.'),
    host: z.string().min(1).describe('Name or address.'),
    port: z.number().int().min(1).max(65_535).default(502).describe('TCP.'),
    unitId: z.number().int().min(0).max(255).default(1).describe('Behind a bridge to serial lines: which device.'),
    pollMs: z
      .number()
      .int()
      .min(20)
      .max(600_000)
      .default(100)
      .describe(
        'From the start of one round to the next, ms. Half the guard’s staleMs where power is read here; a second is enough for temperatures.',
      ),
    timeoutMs: z
      .number()
      .int()
      .min(20)
      .max(60_000)
      .default(500)
      .describe('For a connection and for each answer, ms. Then the connection is made anew.'),
    reconnectMs: z
      .number()
      .int()
      .min(10)
      .max(60_000)
      .default(250)
      .describe('Before the first new connection, ms; doubles …'),
    maxReconnectMs: z.number().int().min(10).max(3_600_000).default(10_000).describe('… up to this.'),
    maxGap: z
      .number()
      .int()
      .min(0)
      .max(MAX_REGISTERS_PER_READ - 2)
      .default(0)
      .describe(
        'Registers between two wanted ones that are read along to save a request. 0: only neighbours; others may not exist.',
      ),
    registers: z.array(registerSchema).min(1).max(MAX_REGISTERS),
  })
  .refine((device) => device.reconnectMs <= device.maxReconnectMs, {
    message: 'reconnectMs must not exceed maxReconnectMs',
  })
  .refine(
    (device) =>
      repeated(
        device.registers
          .filter(({ quantity }) => quantity !== 'temperature')
          .map(({ evse, quantity }) => `${evse} ${quantity}`),
      ) === undefined,
    {
      message: 'registers: an EVSE has one register for each quantity, but for temperature',
    },
  )

export const modbusConfigSchema = z.strictObject({
  devices: z
    .array(deviceSchema)
    .min(1)
    .max(MAX_DEVICES)
    .refine((devices) => repeated(devices.map(({ name }) => name)) === undefined, {
      message: 'two devices have the same name',
    })
    .describe('Controllers and meters that are polled.'),
})

export type ModbusConfig = Readonly<z.infer<typeof modbusConfigSchema>>
export type DeviceConfig = ModbusConfig['devices'][number]
export type RegisterConfig = DeviceConfig['registers'][number]

function repeated(names: readonly string[]): string | undefined {
  return names.find((name, index) => names.indexOf(name) !== index)
}
