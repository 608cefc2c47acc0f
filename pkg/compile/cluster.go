package compile

import clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"

// clusters returns every cluster of the proxy: outbound ones, inbound ones for a sidecar, passthrough and black hole.
func (b *builder) clusters() []*clusterv3.Cluster { return nil }
