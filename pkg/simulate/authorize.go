package simulate

import (
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	exthttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	jwtv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	rbachttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	extnetworkv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/ext_authz/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	rbacnetworkv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	"google.golang.org/protobuf/proto"
)

// authorizeConnection asks a network filter whether the connection may go on. Filters that do not judge connections let all pass, and so does
// a provider that is asked, since nobody knows its answer.
func (w *walk) authorizeConnection(f *listenerv3.Filter, config proto.Message) bool {
	switch config := config.(type) {
	case *rbacnetworkv3.RBAC:
		return w.obey(config.GetRules(), config.GetShadowRules(), 0)
	case *extnetworkv3.ExtAuthz:
		if w.shadowMatched {
			w.step(StageFilter, by(f), "an external authorizer is asked over %s; it is taken to allow the connection",
				config.GetGrpcService().GetEnvoyGrpc().GetClusterName())
		}
	}
	return true
}

// httpFilters runs the HTTP filters in order and reports whether the request goes on to the router.
func (w *walk) httpFilters(m *hcmv3.HttpConnectionManager) bool {
	for _, f := range m.GetHttpFilters() {
		if f.GetDisabled() {
			continue
		}
		switch config := w.sim.unpack(f.GetTypedConfig()).(type) {
		case *jwtv3.JwtAuthentication:
			if !w.authenticate(f, config) {
				return false
			}
		case *rbachttpv3.RBAC:
			if !w.obey(config.GetRules(), config.GetShadowRules(), 403) {
				return false
			}
		case *exthttpv3.ExtAuthz:
			if w.shadowMatched {
				w.step(StageFilter, by(f), "an external authorizer is asked over %s; it is taken to allow the request", authorizerOf(config))
			}
		}
	}
	return true
}

func authorizerOf(config *exthttpv3.ExtAuthz) string {
	if grpc := config.GetGrpcService().GetEnvoyGrpc(); grpc != nil {
		return grpc.GetClusterName()
	}
	return config.GetHttpService().GetServerUri().GetCluster()
}

// obey evaluates rules and reports whether the call goes on; a request that does not is answered by the status. Shadow rules decide nothing
// but whether a filter after them asks a provider.
func (w *walk) obey(rules, shadow *rbacv3.RBAC, status uint32) bool {
	w.shadowMatched = false
	if shadow != nil {
		if matched := w.sim.ruleSet(shadow).match(w); matched != nil {
			w.shadowMatched = true
			w.step(StageFilter, by(matched.message), "%s matches, and is not enforced", matched.id)
		}
	}
	if rules == nil || rules.GetAction() == rbacv3.RBAC_LOG {
		return true
	}
	set := w.sim.ruleSet(rules)
	matched := set.match(w)
	switch {
	case rules.GetAction() == rbacv3.RBAC_DENY && matched == nil:
		w.step(StageFilter, by(rules), "no policy denies the call")
		return true
	case rules.GetAction() == rbacv3.RBAC_ALLOW && matched != nil:
		w.step(StageFilter, by(matched.message), "%s allows the call", matched.id)
		return true
	case matched != nil:
		w.step(StageFilter, by(matched.message), "%s denies the call", matched.id)
		w.out.Policy = matched.policy
	default:
		w.step(StageFilter, by(rules), "no rule allows the call, and where one policy allows something, whatever none allows is denied")
		w.out.Policy = set.onlyPolicy()
	}
	w.out.Status = status
	w.fail(Denied)
	return false
}
