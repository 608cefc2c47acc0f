package authz

import (
	"errors"
	"fmt"

	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	"google.golang.org/protobuf/proto"
	security "istio.io/api/security/v1beta1"

	"github.com/meshc/meshc/pkg/model/resource"
)

var errHTTPOnly = errors.New("only HTTP has it")

// translation is that of one rule.
type translation struct {
	policy  Policy
	at      string
	tcp     bool
	action  rbacv3.RBAC_Action
	options Options
}

// connectives make one matcher of others.
type connectives[M proto.Message] struct {
	and, or func([]M) M
	not     func(M) M
	any     func() M
}

// condition is a field of a rule, or an entry of its conditions: the call must match one of the values and none of those that it must not.
type condition[M proto.Message] struct {
	values, notValues []string
	// at and notAt are the field paths of the two lists.
	at, notAt string
	// httpOnly is set where a TCP connection has nothing to match.
	httpOnly bool
	// one makes the matcher of a value. Where several values share one matcher, all makes it instead.
	one func(value string) (M, error)
	all func(values []string) (M, error)
}

// policyOf returns the Envoy policy of a rule: any of the permissions together with any of the principals. The error says why the rule
// cannot match.
func (t *translation) policyOf(rule *security.Rule) (*rbacv3.Policy, error) {
	when, err := t.when(rule.GetWhen())
	if err != nil {
		return nil, err
	}
	policy := &rbacv3.Policy{}
	for i, to := range rule.GetTo() {
		at := resource.Index(t.at+".to", i)
		p, err := conjunction(t, permissions, append(t.operation(to.GetOperation(), at+".operation"), when.permissions...), at)
		if err != nil {
			return nil, err
		}
		policy.Permissions = append(policy.Permissions, p)
	}
	if len(rule.GetTo()) == 0 {
		p, err := conjunction(t, permissions, when.permissions, t.at)
		if err != nil {
			return nil, err
		}
		policy.Permissions = []*rbacv3.Permission{p}
	}
	for i, from := range rule.GetFrom() {
		at := resource.Index(t.at+".from", i)
		p, err := conjunction(t, principals, append(t.source(from.GetSource(), at+".source"), when.principals...), at)
		if err != nil {
			return nil, err
		}
		policy.Principals = append(policy.Principals, p)
	}
	if len(rule.GetFrom()) == 0 {
		p, err := conjunction(t, principals, when.principals, t.at)
		if err != nil {
			return nil, err
		}
		policy.Principals = []*rbacv3.Principal{p}
	}
	return policy, nil
}

// conjunction is all of the conditions; without any it matches everything.
func conjunction[M proto.Message](t *translation, join connectives[M], conditions []condition[M], at string) (M, error) {
	var all []M
	for _, c := range conditions {
		matches, err := disjunction(t, join, &c, c.values, c.at)
		if err != nil {
			return *new(M), err
		}
		all = append(all, matches...)
		excluded, err := disjunction(t, join, &c, c.notValues, c.notAt)
		if err != nil {
			return *new(M), err
		}
		for _, m := range excluded {
			negated := join.not(m)
			t.options.Sources.Add(negated, t.policy.At(c.notAt))
			all = append(all, negated)
		}
	}
	if len(all) == 0 {
		all = append(all, join.any())
	}
	m := join.and(all)
	t.options.Sources.Add(m, t.policy.At(at))
	return m, nil
}

// disjunction is any of the values: one matcher, or none where there is no value. A value that cannot be matched makes an ALLOW rule
// void and is left out of others: either way the policy lets less through.
func disjunction[M proto.Message](t *translation, join connectives[M], c *condition[M], values []string, at string) ([]M, error) {
	if len(values) == 0 {
		return nil, nil
	}
	if c.all != nil {
		if c.httpOnly && t.tcp {
			return nil, t.unless(errHTTPOnly)
		}
		m, err := c.all(values)
		if err != nil {
			return nil, t.unless(err)
		}
		t.options.Sources.Add(m, t.policy.At(at))
		return []M{m}, nil
	}
	var any []M
	for i, value := range values {
		m, err := *new(M), errHTTPOnly
		if !c.httpOnly || !t.tcp {
			m, err = c.one(value)
		}
		if err != nil {
			if err := t.unless(err); err != nil {
				return nil, fmt.Errorf("%s: %w", at, err)
			}
			continue
		}
		t.options.Sources.Add(m, t.policy.At(resource.Index(at, i)))
		any = append(any, m)
	}
	if len(any) == 0 {
		return nil, nil
	}
	m := join.or(any)
	t.options.Sources.Add(m, t.policy.At(at))
	return []M{m}, nil
}

// unless drops the error for actions that go on without the value.
func (t *translation) unless(err error) error {
	if t.action == rbacv3.RBAC_ALLOW {
		return err
	}
	return nil
}
