import { child, required, requiredInteger, text } from './fields.ts'
import { parseXml, type XmlElement } from './xml.ts'
import { requireName } from './resources.ts'

export interface SepNotification {
  /** What changed: the path of the resource that was subscribed to. */
  readonly subscribedResource: string
  /** 0: an update. 1 … 4: the subscription ended. */
  readonly status: number
  readonly subscriptionUri: string
  /** Name of the resource that came along, by its `xsi:type`. */
  readonly resourceType: string | undefined
  readonly resource: XmlElement | undefined
}

/** A message that a server posts to a subscriber. @throws BackfeedError GRID_MESSAGE_INVALID */
export function parseNotification(bytes: Uint8Array): SepNotification {
  const root = parseXml(bytes)
  requireName(root, 'Notification')
  const resource = child(root, 'Resource')
  return {
    subscribedResource: required(root, 'subscribedResource').text,
    status: requiredInteger(root, 'status', 0, 255),
    subscriptionUri: text(root, 'subscriptionURI') ?? '',
    resourceType: resource?.attributes.get('xsi:type'),
    resource,
  }
}
