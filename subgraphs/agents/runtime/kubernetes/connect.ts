import { existsSync } from 'node:fs'
import { KubeConfig } from '@kubernetes/client-node'

const serviceAccountToken = '/var/run/secrets/kubernetes.io/serviceaccount/token'

/** The kubeconfig in `file`; without one, as a pod of the cluster. */
export function connectCluster(file: string | undefined): KubeConfig {
  const kubeConfig = new KubeConfig()
  if (file !== undefined) kubeConfig.loadFromFile(file)
  else if (existsSync(serviceAccountToken)) kubeConfig.loadFromCluster()
  else throw new Error('KUBECONFIG: expected the path of a kubeconfig, as this is no pod of a cluster')
  if (!kubeConfig.getCurrentCluster()) throw new Error(`${file ?? 'the cluster'}: has no current context`)
  return kubeConfig
}
