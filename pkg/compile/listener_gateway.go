package compile

import listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

// gatewayListeners returns the listeners of a gateway proxy, one a port that its Gateways open.
func (b *builder) gatewayListeners() []*listenerv3.Listener { return nil }
