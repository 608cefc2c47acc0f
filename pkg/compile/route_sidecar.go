package compile

import routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

// sidecarRoutes returns the route configurations that the sidecar's outbound HTTP listeners name.
func (b *builder) sidecarRoutes() []*routev3.RouteConfiguration { return nil }
