import * as client from '@kubernetes/client-node'
import { Deployment } from 'kubernetes-models/apps/v1/Deployment'
import { Scale } from 'kubernetes-models/autoscaling/v1/Scale'
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy'
import { Role } from 'kubernetes-models/rbac.authorization.k8s.io/v1/Role'
import { RoleBinding } from 'kubernetes-models/rbac.authorization.k8s.io/v1/RoleBinding'
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap'
import { Service } from 'kubernetes-models/v1/Service'
import { ServiceAccount } from 'kubernetes-models/v1/ServiceAccount'

type Checked = { validate(): void }
type Document = Record<string, unknown>

const kinds: Record<string, { model: new (data: never) => Checked; type: string }> = {
  'v1 ConfigMap': { model: ConfigMap, type: 'V1ConfigMap' },
  'v1 Service': { model: Service, type: 'V1Service' },
  'v1 ServiceAccount': { model: ServiceAccount, type: 'V1ServiceAccount' },
  'apps/v1 Deployment': { model: Deployment, type: 'V1Deployment' },
  'autoscaling/v1 Scale': { model: Scale, type: 'V1Scale' },
  'networking.k8s.io/v1 NetworkPolicy': { model: NetworkPolicy, type: 'V1NetworkPolicy' },
  'rbac.authorization.k8s.io/v1 Role': { model: Role, type: 'V1Role' },
  'rbac.authorization.k8s.io/v1 RoleBinding': { model: RoleBinding, type: 'V1RoleBinding' },
}

/**
 * What of an object the published OpenAPI schema of Kubernetes refuses, as an API server does with
 * `fieldValidation=Strict`. Two packages are generated of it: of one come types, required fields and formats, of the
 * other the fields that there are, as the first lets unknown ones pass.
 */
export function schemaViolations(object: unknown): string[] {
  if (!isDocument(object)) return ['expected an object']
  const named = `${String(object.apiVersion)} ${String(object.kind)}`
  const kind = kinds[named]
  if (!kind) return [`there is no ${named} among the kinds known here`]
  const unknown = unknownFields(kind.type, object, '')
  try {
    new kind.model(object as never).validate()
    return unknown
  } catch (error) {
    return [...unknown, error instanceof Error ? error.message : String(error)]
  }
}

type Attribute = { baseName: string; type: string }
const models = client as unknown as Record<string, { attributeTypeMap?: Attribute[] } | undefined>

function unknownFields(type: string, value: unknown, path: string): string[] {
  const [, element] = /^Array<(.*)>$/.exec(type) ?? []
  if (element !== undefined && Array.isArray(value))
    return value.flatMap((each, index) => unknownFields(element, each, `${path}/${index}`))
  const [, entry] = /^\{ \[key: string\]: (.*); \}$/.exec(type) ?? []
  if (entry !== undefined && isDocument(value))
    return Object.entries(value).flatMap(([key, each]) => unknownFields(entry, each, `${path}/${key}`))
  const attributes = models[type]?.attributeTypeMap
  if (!attributes || !isDocument(value)) return []
  const types = new Map(attributes.map((each) => [each.baseName, each.type]))
  return Object.entries(value).flatMap(([key, each]) => {
    const known = types.get(key)
    return known === undefined
      ? [`unknown field ${path}/${key}`]
      : unknownFields(known, each, `${path}/${key}`)
  })
}

const isDocument = (value: unknown): value is Document =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
