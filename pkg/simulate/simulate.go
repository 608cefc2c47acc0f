// Package simulate tells where a call ends that reaches a compiled proxy, and why: it walks the call through listeners, filter chains, virtual
// hosts and routes as Envoy would, step by step, without running Envoy.
//
// A Simulator is made once for a configuration and then asked for any number of calls: virtual hosts are indexed by domain and matchers
// compiled the first time that a call needs them. Files are named for the step of the walk that they hold: listener.go, filterchain.go, tls.go,
// network.go, request.go, authorize.go (with rbac.go, client.go and token*.go), virtualhost.go, route.go, redirect.go,
// upstream.go.
package simulate

import (
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	jwtv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/model"
)

// Options of a simulator.
type Options struct {
	// Mesh resolves callers that are named as workloads (NAME.NAMESPACE) to their identities, and the hosts of outbound calls without an
	// address to those of their services; nil knows neither.
	Mesh *model.Mesh
	// Time is when the calls are made: tokens that they bear may have expired by then. The zero value looks at no token's times, so that the
	// answer does not depend on when it is asked for.
	Time time.Time
}

// Simulator answers calls to one proxy. It is not safe for concurrent use, as the configuration's source map is not.
type Simulator struct {
	cfg        *compile.Configuration
	mesh       *model.Mesh
	identities map[string]string
	byAddress  map[address]*listenerv3.Listener
	byName     map[string]*listenerv3.Listener
	routes     map[string]*routev3.RouteConfiguration
	tables     map[*routev3.RouteConfiguration]*routeTable
	clusters   map[string]proto.Message
	ruleSets   map[*rbacv3.RBAC]*ruleSet
	keySets    map[*jwtv3.JwtProvider]*keySet
	now        time.Time
}

// New returns a simulator of the proxy. The configuration should be compiled for the target istio-proxy where the answer is to be held
// against a live mesh; both targets route alike. It must not be changed afterwards.
func New(cfg *compile.Configuration, opts Options) *Simulator {
	s := &Simulator{
		cfg:        cfg,
		mesh:       opts.Mesh,
		identities: identities(cfg, opts.Mesh),
		byAddress:  map[address]*listenerv3.Listener{},
		byName:     map[string]*listenerv3.Listener{},
		routes:     map[string]*routev3.RouteConfiguration{},
		tables:     map[*routev3.RouteConfiguration]*routeTable{},
		clusters:   map[string]proto.Message{},
		ruleSets:   map[*rbacv3.RBAC]*ruleSet{},
		keySets:    map[*jwtv3.JwtProvider]*keySet{},
		now:        opts.Time,
	}
	for _, l := range cfg.Listeners {
		s.addListener(l)
	}
	for _, r := range cfg.Routes {
		s.routes[r.GetName()] = r
	}
	for _, c := range cfg.Clusters {
		s.clusters[c.GetName()] = c
	}
	return s
}

// Call tells where a call ends.
func (s *Simulator) Call(c Call) Outcome { return s.run(c, false) }

// Explain is Call with the steps that led there, in Outcome.Trace.
func (s *Simulator) Explain(c Call) Outcome { return s.run(c, true) }

func (s *Simulator) run(c Call, explain bool) Outcome {
	c = s.withDefaults(c)
	w := &walk{sim: s, call: &c, out: Outcome{Name: c.Name}, explaining: explain}
	if l := w.listener(); l != nil {
		if chain := w.filterChain(l); chain != nil && w.terminateTLS(chain) {
			w.networkFilters(chain)
		}
	}
	return w.out
}

// unpack returns the message inside an Any, nil where its type is unknown to meshc.
func (s *Simulator) unpack(packed *anypb.Any) proto.Message {
	if packed == nil {
		return nil
	}
	msg, err := s.cfg.Sources.Unpack(packed)
	if err != nil {
		return nil
	}
	return msg
}

// walk is one call on its way.
type walk struct {
	sim        *Simulator
	call       *Call
	out        Outcome
	explaining bool

	// connection is what is known of the connection, request of the request in it (nil before there is one).
	connection connection
	request    *request
	// shadowMatched tells the filter after one with shadow rules that one of them matched.
	shadowMatched bool
	// What the request is handled by, as far as that is known.
	listenedOn  *listenerv3.Listener
	manager     manager
	routeTable  *routev3.RouteConfiguration
	virtualHost *routev3.VirtualHost
}

// fail ends the walk with an error.
func (w *walk) fail(e Error) { w.out.Error = e }
