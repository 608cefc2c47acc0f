package simulate

import (
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	jwtv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// authorizeConnection asks a network filter whether the connection may go on. Filters that do not judge connections let all pass.
func (w *walk) authorizeConnection(f *listenerv3.Filter, config proto.Message) bool {
	return true
}

// httpFilters runs the HTTP filters in order and reports whether the request goes on to the router.
func (w *walk) httpFilters(m *hcmv3.HttpConnectionManager) bool {
	for _, f := range m.GetHttpFilters() {
		if f.GetDisabled() {
			continue
		}
		if config, ok := w.sim.unpack(f.GetTypedConfig()).(*jwtv3.JwtAuthentication); ok {
			w.readToken(f, config)
		}
	}
	return true
}

// readToken leaves the claims of the token where routes and policies look for them: in the metadata of the JWT filter, if it has a provider for
// the token's issuer.
func (w *walk) readToken(f *hcmv3.HttpFilter, config *jwtv3.JwtAuthentication) {
	issuer, _ := w.call.Claims["iss"].(string)
	for _, p := range config.GetProviders() {
		if len(w.call.Claims) == 0 || p.GetIssuer() != issuer || p.GetPayloadInMetadata() == "" {
			continue
		}
		claims, err := structpb.NewStruct(w.call.Claims)
		if err != nil {
			w.step(StageFilter, by(f), "the claims are none that a token could hold: %v", err)
			return
		}
		w.request.metadata = map[string]*structpb.Struct{"envoy.filters.http.jwt_authn": {
			Fields: map[string]*structpb.Value{p.GetPayloadInMetadata(): structpb.NewStructValue(claims)},
		}}
		w.step(StageFilter, by(f), "the token of %s is accepted", issuer)
		return
	}
}
