package reach

import (
	"maps"
	"slices"
	"strings"

	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	"google.golang.org/protobuf/proto"
	security "istio.io/api/security/v1beta1"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model/resource"
)

// Verdict says whether calls get through.
type Verdict string

const (
	Allowed     Verdict = "allowed"
	Conditional Verdict = "conditional"
	Denied      Verdict = "denied"
)

// Transport is how a call comes to the server.
type Transport string

const (
	// MTLS proves who calls, TLS encrypts alone, and over Plaintext anybody may say anything.
	MTLS      Transport = "mtls"
	TLS       Transport = "tls"
	Plaintext Transport = "plaintext"
)

// Action is what a step decides by: that of the AuthorizationPolicies in it, or what is not their matter.
type Action string

const (
	// ActionTLS refuses connections, ActionToken tokens that RequestAuthentications do not vouch for.
	ActionTLS    Action = "TLS"
	ActionToken  Action = "TOKEN"
	ActionCustom Action = "CUSTOM"
	ActionDeny   Action = "DENY"
	ActionAllow  Action = "ALLOW"
)

// Answer tells what becomes of the calls of a caller to a port.
type Answer struct {
	Verdict   Verdict   `json:"verdict"`
	Transport Transport `json:"transport"`
	// Clients tells what the caller's sidecars send where they do otherwise than by themselves: where some come over mTLS, the answer is for those.
	Clients []ClientTLS `json:"clients,omitempty"`
	// Steps are those that decide, in the order in which the proxy takes them: the one that refuses all calls, or all those that have a say and the
	// rule that allows. None: no policy is about such calls.
	Steps []Step `json:"steps"`
}

// Step is a filter of the proxy that judges calls.
type Step struct {
	Action Action `json:"action"`
	// Refuses tells that no call passes.
	Refuses bool `json:"refuses,omitempty"`
	// Why says in words what no rule says.
	Why string `json:"why,omitempty"`
	// Rules have a say: a call passes a DENY step if none of them holds and an ALLOW step if one does; a CUSTOM step asks the Provider if one
	// holds. In a step that refuses all they are those that decide it.
	Rules []Rule `json:"rules,omitempty"`
	// Provider is the name of the one that is asked, Cluster the cluster over which.
	Provider string `json:"provider,omitempty"`
	Cluster  string `json:"cluster,omitempty"`
	// Tokens are the rules by which a request's token, if it bears one, must be valid; Required refuses requests without.
	Tokens   []TokenRule `json:"tokens,omitempty"`
	Required bool        `json:"required,omitempty"`
}

// Rule is a rule of a policy, or a whole one where no rule of it takes part.
type Rule struct {
	Resource diag.Resource `json:"resource"`
	// Path is the field path, such as spec.rules[0].
	Path     string        `json:"path"`
	Location diag.Location `json:"location"`
	// When is what must hold of the call; nil always holds.
	When *Condition `json:"when,omitempty"`
}

// judge sends a call through the filters of a chain.
func (e *evaluation) judge(filters []filter) Answer {
	a := Answer{Verdict: Allowed, Transport: e.transport, Steps: []Step{}}
	var noted []Rule
	for _, f := range filters {
		e.request = f.http
		var step *Step
		switch {
		case f.rules != nil || f.shadow != nil:
			noted = e.matching(f.shadow)
			step = e.enforce(f)
		case f.tokens != nil:
			e.tokens = f.tokens.rules
			step = &Step{Action: ActionToken, Tokens: f.tokens.rules, Required: f.tokens.required}
		case f.cluster != "":
			step = askWhen(noted, f)
		}
		if step == nil {
			continue
		}
		if step.Refuses {
			return Answer{Verdict: Denied, Transport: e.transport, Steps: []Step{*step}}
		}
		a.Steps = append(a.Steps, *step)
		if step.leavesOpen() {
			a.Verdict = Conditional
		}
	}
	return a
}

// leavesOpen tells whether some calls pass the step and others may not.
func (s *Step) leavesOpen() bool {
	switch s.Action {
	case ActionToken:
		return s.Required
	case ActionAllow:
		return !slices.ContainsFunc(s.Rules, func(r Rule) bool { return r.When == nil })
	}
	return true
}

// enforce is the step of an RBAC filter, nil for one that lets all calls through without a rule that says so.
func (e *evaluation) enforce(f filter) *Step {
	if f.rules == nil || f.rules.GetAction() == rbacv3.RBAC_LOG {
		return nil
	}
	rules := e.matching(f.rules)
	unconditional := slices.IndexFunc(rules, func(r Rule) bool { return r.When == nil })
	if f.rules.GetAction() == rbacv3.RBAC_DENY {
		switch {
		case len(rules) == 0:
			return nil
		case unconditional >= 0:
			return &Step{Action: ActionDeny, Refuses: true, Why: whyDenied(f.rules), Rules: rules[unconditional : unconditional+1]}
		}
		return &Step{Action: ActionDeny, Why: whyDenied(f.rules), Rules: rules}
	}
	switch {
	case len(rules) == 0:
		return &Step{Action: ActionAllow, Refuses: true, Why: e.whyVoid(f), Rules: e.from(f.rules)}
	case unconditional >= 0:
		return &Step{Action: ActionAllow, Rules: rules[unconditional : unconditional+1]}
	}
	return &Step{Action: ActionAllow, Rules: rules}
}

// whyDenied says what is behind rules that deny because nobody can be asked.
func whyDenied(rules *rbacv3.RBAC) string {
	for id := range rules.GetPolicies() {
		if strings.HasSuffix(id, "-deny-due-to-bad-CUSTOM-action") {
			return "the provider that a CUSTOM policy names cannot be asked, so what it should decide is denied"
		}
	}
	return ""
}

// askWhen is the step of a filter that asks a provider where rules of the filter before it hold, nil if none can.
func askWhen(noted []Rule, f filter) *Step {
	if f.asksAlways {
		return &Step{Action: ActionCustom, Provider: f.provider, Cluster: f.cluster, Rules: f.from}
	}
	if len(noted) == 0 {
		return nil
	}
	if i := slices.IndexFunc(noted, func(r Rule) bool { return r.When == nil }); i >= 0 {
		noted = noted[i : i+1]
	}
	return &Step{Action: ActionCustom, Provider: f.provider, Cluster: f.cluster, Rules: noted}
}

// matching are the rules that hold or may hold, in Envoy's order, which is that of their names.
func (e *evaluation) matching(rules *rbacv3.RBAC) []Rule {
	var out []Rule
	for _, id := range slices.Sorted(maps.Keys(rules.GetPolicies())) {
		policy := rules.GetPolicies()[id]
		when := e.rule(policy)
		if when.isNever() {
			continue
		}
		rule := e.ruleAt(policy, id)
		if !when.isAlways() {
			rule.When = when
		}
		out = append(out, rule)
	}
	return out
}

// ruleAt tells where a message of the configuration was written; what has no place in the YAML has its name alone.
func (e *evaluation) ruleAt(msg proto.Message, name string) Rule {
	if from := e.sources.Of(msg); len(from) > 0 {
		return ruleOf(from[0])
	}
	return Rule{Resource: diag.Resource{Name: name}}
}

func ruleOf(from resource.Source) Rule {
	return Rule{Resource: from.Resource.Ref(), Path: from.Path, Location: from.Location()}
}

// from are the places where a message was written.
func (e *evaluation) from(msg proto.Message) []Rule { return chainReader{e.sources}.from(msg) }

// whyVoid tells that rules of the policies count for nothing here; "" where all do.
func (e *evaluation) whyVoid(f filter) string {
	written := 0
	for _, from := range e.sources.Of(f.rules) {
		if policy, ok := from.Resource.Object.(*security.AuthorizationPolicy); ok {
			written += len(policy.GetRules())
		}
	}
	if f.http || written <= len(f.rules.GetPolicies()) {
		return ""
	}
	return "on a TCP port, rules that ask for what only HTTP has (methods, paths, hosts, headers, tokens) allow nothing"
}
