package emit

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/emit/canonical"
)

// Violation is a rule of Envoy's API that a compiled message breaks. The compiler promises to make none; an EnvoyFilter, which writes
// Envoy's configuration itself, may.
type Violation struct {
	Proxy string `json:"proxy"`
	// Resource is the kind and name: "cluster outbound|9080||reviews.default.svc.cluster.local".
	Resource string `json:"resource"`
	// Pointer is a JSON pointer below the resource to the message.
	Pointer string `json:"pointer"`
	// Message is the type of the message: envoy.config.cluster.v3.Cluster.
	Message string `json:"message"`
	// Rule is what is broken, in the words of Envoy's validation rules.
	Rule string `json:"rule"`
	// Origins are the YAML behind the message or the nearest around it.
	Origins []Origin `json:"origins"`
}

func (v Violation) Error() string {
	s := fmt.Sprintf("Envoy would refuse %s of %s at %q: %s: %s", v.Resource, v.Proxy, v.Pointer, v.Message, v.Rule)
	var places []string
	for _, o := range v.Origins {
		places = append(places, o.String())
	}
	if len(places) > 0 {
		s += " (from " + strings.Join(places, ", ") + ")"
	}
	if slices.ContainsFunc(v.Origins, func(o Origin) bool { return o.Resource.Kind == "EnvoyFilter" }) {
		return s + "; an EnvoyFilter patches it: mend the patch"
	}
	return s + "; this is a mistake of meshc, please report it"
}

// Validate holds every message of a configuration, those inside google.protobuf.Any too, against the rules that Envoy's API
// declares (https://www.envoyproxy.io/docs/envoy/latest/api/api). The error joins one Violation for each broken rule, ordered by
// resource and pointer.
func Validate(cfg *compile.Configuration) error {
	v := &validation{cfg: cfg}
	for _, m := range cfg.Listeners {
		v.resource("listener "+m.GetName(), m)
	}
	for _, m := range cfg.Routes {
		v.resource("route "+m.GetName(), m)
	}
	for _, m := range cfg.Clusters {
		v.resource("cluster "+m.GetName(), m)
	}
	for _, m := range cfg.Endpoints {
		v.resource("endpoints of "+m.GetClusterName(), m)
	}
	for _, m := range cfg.Secrets {
		v.resource("secret "+m.GetName(), m)
	}
	slices.SortFunc(v.errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(v.errs...)
}

type validation struct {
	cfg  *compile.Configuration
	errs []error
}

func (v *validation) resource(name string, m proto.Message) {
	if !v.sound(m) {
		v.tree(name, m, m, "", 0)
	}
}

// sound tells whether a message that several configurations hold is known to break no rule. It is looked at once for all of them.
func (v *validation) sound(m proto.Message) bool {
	part := v.cfg.Part(m)
	return part != nil && part.Memo(soundKey{}, func() any {
		alone := &validation{cfg: v.cfg}
		if rc, ok := m.(*routev3.RouteConfiguration); ok {
			m = alone.withoutSoundHosts(rc)
		}
		alone.tree("", m, m, "", 0)
		return len(alone.errs) == 0
	}).(bool)
}

// soundKey is what the outcome is kept under.
type soundKey struct{}

// withoutSoundHosts returns the table with those virtual hosts alone that have to be looked at; rules for a host do not ask what stands beside it.
func (v *validation) withoutSoundHosts(rc *routev3.RouteConfiguration) *routev3.RouteConfiguration {
	rest := shallow(rc)
	rest.VirtualHosts = nil
	for _, h := range rc.GetVirtualHosts() {
		if !v.sound(h) {
			rest.VirtualHosts = append(rest.VirtualHosts, h)
		}
	}
	return rest
}

// tree validates root at once, which covers all messages but those inside an Any, and looks for the culprit only if one is there.
func (v *validation) tree(name string, top, root proto.Message, prefix string, depth int) {
	if check, ok := root.(interface{ ValidateAll() error }); ok {
		if err := check.ValidateAll(); err != nil {
			v.blame(name, top, root, prefix)
		}
	}
	if depth > maxPacked {
		v.errs = append(v.errs, fmt.Errorf("%s of %s packs messages into messages more than %d levels deep at %q", name, v.cfg.Proxy.ID(), maxPacked, prefix))
		return
	}
	canonical.Walk(root, stop, func(pointer []byte, m proto.Message) bool {
		packed, ok := m.(*anypb.Any)
		if !ok {
			return true
		}
		// A type that is not linked in cannot be checked here.
		if inner, err := v.cfg.Sources.Unpack(packed); err == nil {
			v.tree(name, top, inner, prefix+string(pointer), depth+1)
		}
		return false
	})
}

// maxPacked bounds how many Any may stand inside each other.
const maxPacked = 50

// stop keeps a walk out of Any.
func stop(*anypb.Any) (proto.Message, error) { return nil, errors.New("not looked into") }

// blame reports each message below root that breaks a rule of its own. Validate on a parent fails for its children's sake too, so
// a message whose child fails is not blamed unless it breaks something as well.
func (v *validation) blame(name string, top, root proto.Message, prefix string) {
	type broken struct {
		pointer string
		m       proto.Message
		rules   []string
	}
	var all []broken
	canonical.Walk(root, stop, func(pointer []byte, m proto.Message) bool {
		check, ok := m.(interface{ ValidateAll() error })
		if !ok {
			return true
		}
		err := check.ValidateAll()
		if rules := own(err); len(rules) > 0 {
			all = append(all, broken{prefix + string(pointer), m, rules})
		}
		return err != nil
	})
	for _, b := range all {
		for _, rule := range b.rules {
			v.errs = append(v.errs, Violation{
				Proxy: v.cfg.Proxy.ID(), Resource: name, Pointer: b.pointer,
				Message: string(b.m.ProtoReflect().Descriptor().FullName()), Rule: rule,
				Origins: v.origins(top, b.pointer),
			})
		}
	}
}

// own returns the rules that a message breaks itself: the generated errors carry a cause where it is a child that fails.
func own(err error) []string {
	if err == nil {
		return nil
	}
	list := []error{err}
	if multi, ok := err.(interface{ AllErrors() []error }); ok {
		list = multi.AllErrors()
	}
	var rules []string
	for _, e := range list {
		rule, ok := e.(interface {
			Field() string
			Reason() string
			Cause() error
		})
		switch {
		case !ok:
			rules = append(rules, e.Error())
		case rule.Cause() == nil || isLeaf(rule.Cause()):
			rules = append(rules, strings.TrimSpace(rule.Field()+": "+rule.Reason()))
		}
	}
	return rules
}

// isLeaf tells a cause that is not a child's failure, such as a duration out of range.
func isLeaf(cause error) bool {
	if _, ok := cause.(interface{ AllErrors() []error }); ok {
		return false
	}
	_, ok := cause.(interface{ Reason() string })
	return !ok
}

// origins returns the YAML behind the message at the pointer or the nearest around it.
func (v *validation) origins(top proto.Message, pointer string) []Origin {
	var out []Origin
	best := -1
	canonical.Walk(top, v.cfg.Sources.Unpack, func(at []byte, m proto.Message) bool {
		here := string(at)
		if here != "" && here != pointer && !strings.HasPrefix(pointer, here+"/") {
			return false
		}
		if sources := v.cfg.Sources.Of(m); len(sources) > 0 && len(here) >= best {
			best, out = len(here), nil
			for _, s := range sources {
				l := s.Location()
				out = append(out, Origin{File: l.File, Line: l.Line, Column: l.Column, Resource: s.Resource.Ref(), Path: s.Path})
			}
		}
		return true
	})
	return out
}
