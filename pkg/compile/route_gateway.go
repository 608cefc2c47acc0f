package compile

import routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

// gatewayRoutes returns the route configurations that the gateway's listeners name.
func (b *builder) gatewayRoutes() []*routev3.RouteConfiguration { return nil }
