package gatewayapi

import (
	"slices"
	"strings"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	gateway "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// ResourceStatus is the status that a resource would get.
type ResourceStatus struct {
	Resource *resource.Resource
	Status   *Status
}

// Status is the part of a status that follows from configuration. Times and generations are left out: no file knows them.
type Status struct {
	Conditions []Condition      `json:"conditions,omitempty"`
	Parents    []ParentStatus   `json:"parents,omitempty"`
	Ancestors  []AncestorStatus `json:"ancestors,omitempty"`
	Listeners  []ListenerStatus `json:"listeners,omitempty"`
	Addresses  []Address        `json:"addresses,omitempty"`
	// AttachedListenerSets counts the ListenerSets of a Gateway that have a valid listener.
	AttachedListenerSets int `json:"attachedListenerSets,omitempty"`
}

// Condition is one aspect of a status: https://kubernetes.io/docs/reference/using-api/api-concepts/.
type Condition struct {
	Type    string `json:"type"`
	Status  string `json:"status"` // True, False or Unknown
	Reason  string `json:"reason"`
	Message string `json:"message"`
	// Place is the field that a condition which does not hold is about, where there is one; a path in the resource.
	Place string `json:"-"`
}

// Bad tells whether a condition reports something wrong: of all of them only Conflicted is good where it is False.
func (c Condition) Bad() bool {
	if c.Type == conflicted {
		return c.Status == "True"
	}
	return c.Status == "False"
}

// ParentStatus is what became of a route at one of its parents.
type ParentStatus struct {
	ParentRef      gateway.ParentReference `json:"parentRef"`
	ControllerName string                  `json:"controllerName"`
	Conditions     []Condition             `json:"conditions,omitempty"`
}

// AncestorStatus is what became of a policy at what it applies to.
type AncestorStatus struct {
	AncestorRef    gateway.ParentReference `json:"ancestorRef"`
	ControllerName string                  `json:"controllerName"`
	Conditions     []Condition             `json:"conditions,omitempty"`
}

// ListenerStatus is what became of one listener.
type ListenerStatus struct {
	Name           string      `json:"name"`
	AttachedRoutes int         `json:"attachedRoutes"`
	SupportedKinds []RouteKind `json:"supportedKinds"`
	Conditions     []Condition `json:"conditions,omitempty"`
}

// RouteKind is a kind of route that may be attached.
type RouteKind struct {
	Group string `json:"group"`
	Kind  string `json:"kind"`
}

// Address is where a Gateway is reached.
type Address struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// Types of conditions.
const (
	accepted     = "Accepted"
	programmed   = "Programmed"
	resolvedRefs = "ResolvedRefs"
	conflicted   = "Conflicted"
)

// problem is why a condition does not hold.
type problem struct {
	reason, message string
	place           string
}

func (p *problem) at(place string) *problem {
	if p != nil && p.place == "" {
		p.place = place
	}
	return p
}

// joined returns both problems as one, with the first one's reason.
func joined(a, b *problem) *problem {
	switch {
	case b == nil:
		return a
	case a == nil:
		return b
	case a.message == b.message:
		return a
	}
	return &problem{reason: a.reason, message: a.message + "; " + b.message, place: a.place}
}

func valid(reason, message string) Condition {
	return Condition{Status: "True", Reason: reason, Message: message}
}

// or turns a condition into the problem, where there is one.
func (c Condition) or(p *problem) Condition {
	if p == nil {
		return c
	}
	status := "False"
	if c.Status == "False" {
		status = "True"
	}
	return Condition{Status: status, Reason: p.reason, Message: p.message, Place: p.place}
}

func newStatus(existing []meta.Condition) *Status { return &Status{Conditions: conditionsOf(existing)} }

func conditionsOf(existing []meta.Condition) []Condition {
	var out []Condition
	for _, e := range existing {
		out = append(out, Condition{Type: e.Type, Status: string(e.Status), Reason: e.Reason, Message: e.Message})
	}
	return out
}

func (s *Status) set(kind string, c Condition) { s.Conditions = withCondition(s.Conditions, kind, c) }

// withCondition sets a condition in place of an existing one of its type.
func withCondition(list []Condition, kind string, c Condition) []Condition {
	c.Type = kind
	if i := slices.IndexFunc(list, func(o Condition) bool { return o.Type == kind }); i >= 0 {
		list[i] = c
		return list
	}
	return append(list, c)
}

func (c *conversion) report(r *resource.Resource, s *Status) {
	c.result.Statuses = append(c.result.Statuses, ResourceStatus{Resource: r, Status: s})
}

// listing writes a list as a sentence does: a, b, and c.
func listing(words []string) string {
	switch len(words) {
	case 0:
		return ""
	case 1:
		return words[0]
	case 2:
		return words[0] + " and " + words[1]
	}
	return strings.Join(words[:len(words)-1], ", ") + ", and " + words[len(words)-1]
}
