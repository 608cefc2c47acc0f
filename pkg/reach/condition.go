package reach

import (
	"reflect"
	"slices"
)

// Condition is what must hold of a call, as far as who calls and over what does not decide it already: all of several conditions, any of them,
// not one, or a test of one property of the call. Exactly one of the four is set. A nil *Condition holds always.
type Condition struct {
	All  []*Condition `json:"all,omitempty"`
	Any  []*Condition `json:"any,omitempty"`
	Not  *Condition   `json:"not,omitempty"`
	Test *Test        `json:"test,omitempty"`

	// truth is set for what is decided already: 1 for always, -1 for never. Such conditions stay inside this package.
	truth int8
}

// Test is about one property of a call: it holds if one of the values matches. A property that the call lacks matches nothing.
type Test struct {
	Field Field `json:"field"`
	// Name is that of the header or the claim; keys of nested claims are joined by dots.
	Name   string  `json:"name,omitempty"`
	Values []Value `json:"values"`
}

// Field names a property of a call.
type Field string

const (
	// Method, Path (without its query, normalized) and Host are those of the request, Header is one of its headers as the policies see it.
	Method Field = "method"
	Path   Field = "path"
	Host   Field = "host"
	Header Field = "header"
	// Claim is a claim of the request's valid token, ClaimOrElement the same or an element of it where it is a list, ClaimElement an element only.
	Claim          Field = "claim"
	ClaimOrElement Field = "claimOrElement"
	ClaimElement   Field = "claimElement"
	// Principal is the caller's identity with its spiffe:// before it, where it is not known.
	Principal Field = "principal"
	// SourceIP is the address of the peer, ClientIP that of the client as X-Forwarded-For or the PROXY protocol tell it.
	SourceIP Field = "sourceIP"
	ClientIP Field = "clientIP"
	// DestinationIP and Port are what the connection was made to, ServerName is that of its TLS handshake.
	DestinationIP Field = "destinationIP"
	Port          Field = "port"
	ServerName    Field = "serverName"
	// Metadata is what another filter left for policies to read: FILTER[KEY], with the suffix [] for an element of a list.
	Metadata Field = "metadata"
)

// Value is one that a test takes.
type Value struct {
	Match Match `json:"match"`
	// Value is what to compare with; empty for Present.
	Value      string `json:"value,omitempty"`
	IgnoreCase bool   `json:"ignoreCase,omitempty"`
}

// Match says how a value is compared.
type Match string

const (
	Exact    Match = "exact"
	Prefix   Match = "prefix"
	Suffix   Match = "suffix"
	Contains Match = "contains"
	// Regex is of RE2's syntax and matches the whole.
	Regex Match = "regex"
	// Template is a path in which * stands for a segment and ** for any rest.
	Template Match = "template"
	// Present takes any value, be it empty.
	Present Match = "present"
	// Block is a block of addresses, ADDRESS/BITS.
	Block Match = "block"
	// Range is START-END of whole numbers, the end left out.
	Range Match = "range"
	// JSON takes a value that is no string: true, false, null or a number.
	JSON Match = "json"
)

func always() *Condition { return &Condition{truth: 1} }
func never() *Condition  { return &Condition{truth: -1} }

func decided(truth bool) *Condition {
	if truth {
		return always()
	}
	return never()
}

func (c *Condition) isAlways() bool { return c.truth > 0 }
func (c *Condition) isNever() bool  { return c.truth < 0 }

func test(field Field, name string, values ...Value) *Condition {
	return &Condition{Test: &Test{Field: field, Name: name, Values: values}}
}

// allOf simplifies: what holds always is left out, what never holds decides, and what is said twice is said once.
func allOf(conditions []*Condition) *Condition {
	var left []*Condition
	for _, c := range conditions {
		switch {
		case c.isNever():
			return c
		case c.isAlways():
		case c.All != nil:
			left = appendNew(left, c.All...)
		default:
			left = appendNew(left, c)
		}
	}
	switch len(left) {
	case 0:
		return always()
	case 1:
		return left[0]
	}
	return &Condition{All: left}
}

// anyOf simplifies likewise, and makes one test of several that are about the same property.
func anyOf(conditions []*Condition) *Condition {
	var left []*Condition
	for _, c := range conditions {
		switch {
		case c.isAlways():
			return c
		case c.isNever():
		case c.Any != nil:
			for _, inner := range c.Any {
				left = appendMerged(left, inner)
			}
		default:
			left = appendMerged(left, c)
		}
	}
	left = withoutNarrower(left)
	switch len(left) {
	case 0:
		return never()
	case 1:
		return left[0]
	}
	return &Condition{Any: left}
}

// mostCompared bounds the alternatives that are compared with one another.
const mostCompared = 100

// withoutNarrower leaves out alternatives that ask for all that another asks for, and more.
func withoutNarrower(list []*Condition) []*Condition {
	if len(list) > mostCompared {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), func(c *Condition) bool {
		return slices.ContainsFunc(list, func(o *Condition) bool { return o != c && o.isPartOf(c) })
	})
}

// isPartOf tells whether o asks for all that c asks for, and more.
func (c *Condition) isPartOf(o *Condition) bool {
	parts := c.All
	if len(parts) == 0 {
		parts = []*Condition{c}
	}
	if len(parts) >= len(o.All) {
		return false
	}
	return !slices.ContainsFunc(parts, func(part *Condition) bool {
		return !slices.ContainsFunc(o.All, func(other *Condition) bool { return reflect.DeepEqual(part, other) })
	})
}

func not(c *Condition) *Condition {
	switch {
	case c.truth != 0:
		return &Condition{truth: -c.truth}
	case c.Not != nil:
		return c.Not
	}
	return &Condition{Not: c}
}

func appendNew(list []*Condition, conditions ...*Condition) []*Condition {
	for _, c := range conditions {
		if !slices.ContainsFunc(list, func(o *Condition) bool { return reflect.DeepEqual(o, c) }) {
			list = append(list, c)
		}
	}
	return list
}

func appendMerged(list []*Condition, c *Condition) []*Condition {
	if c.Test == nil {
		return appendNew(list, c)
	}
	for i, o := range list {
		if o.Test == nil || o.Test.Name != c.Test.Name {
			continue
		}
		if o.Test.Field == c.Test.Field {
			merged := slices.Clone(o.Test.Values)
			if anyValue := (Value{Match: Present}); slices.Contains(merged, anyValue) || slices.Contains(c.Test.Values, anyValue) {
				list[i] = test(o.Test.Field, o.Test.Name, anyValue)
				return list
			}
			for _, v := range c.Test.Values {
				if !slices.Contains(merged, v) {
					merged = append(merged, v)
				}
			}
			list[i] = test(o.Test.Field, o.Test.Name, merged...)
			return list
		}
		// Policies look for a claim's value both as the claim and in it.
		if fields := [2]Field{o.Test.Field, c.Test.Field}; slices.Equal(o.Test.Values, c.Test.Values) &&
			(fields == [2]Field{ClaimElement, Claim} || fields == [2]Field{Claim, ClaimElement}) {
			list[i] = test(ClaimOrElement, o.Test.Name, o.Test.Values...)
			return list
		}
	}
	return append(list, c)
}
