// Package translate turns single Istio messages into Envoy's: a route, a retry policy, a fault, a header operation.
//
// It asks the mesh nothing: which cluster a destination means, what its DestinationRule asks for and which retries are the default
// come in as options. So each rule of translation can be read and tested apart from the mesh, and sidecars and gateways share it.
package translate
