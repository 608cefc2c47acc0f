package compile

import listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

// sidecarListeners returns virtualOutbound, virtualInbound and the outbound listeners of a sidecar.
func (b *builder) sidecarListeners() []*listenerv3.Listener { return nil }
