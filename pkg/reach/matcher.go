package reach

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// stringValue writes a string matcher as a value; false for one of a kind that meshc does not know, which matches nothing.
func stringValue(m *matcherv3.StringMatcher) (Value, bool) {
	v := Value{IgnoreCase: m.GetIgnoreCase()}
	switch p := m.GetMatchPattern().(type) {
	case *matcherv3.StringMatcher_Exact:
		v.Match, v.Value = Exact, p.Exact
	case *matcherv3.StringMatcher_Prefix:
		v.Match, v.Value = Prefix, p.Prefix
	case *matcherv3.StringMatcher_Suffix:
		v.Match, v.Value = Suffix, p.Suffix
	case *matcherv3.StringMatcher_Contains:
		v.Match, v.Value = Contains, p.Contains
	case *matcherv3.StringMatcher_SafeRegex:
		v.Match, v.Value, v.IgnoreCase = Regex, p.SafeRegex.GetRegex(), false
	default:
		return v, false
	}
	return v, true
}

func stringTest(field Field, name string, m *matcherv3.StringMatcher) *Condition {
	v, ok := stringValue(m)
	if !ok {
		return never()
	}
	return test(field, name, v)
}

// pathTest is about a path, which is never empty.
func pathTest(m *matcherv3.StringMatcher) *Condition {
	if m.GetSafeRegex().GetRegex() == ".+" {
		return always()
	}
	return stringTest(Path, "", m)
}

// headerTest follows Envoy: a header that is missing fails a condition on its value, inverted or not, unless it is to count as empty.
func (e *evaluation) headerTest(m *routev3.HeaderMatcher) *Condition {
	name := strings.ToLower(m.GetName())
	field, is := headerField(name)
	present := is(Value{Match: Present})
	var value *Condition
	matches := func(string) bool { return false }
	//lint:ignore SA1019 Envoy takes the older forms yet, and EnvoyFilters hold them.
	switch p := m.GetHeaderMatchSpecifier().(type) {
	case *routev3.HeaderMatcher_PresentMatch:
		if field != Header {
			present = always()
		}
		return inverted(inverted(present, !p.PresentMatch), m.GetInvertMatch())
	case *routev3.HeaderMatcher_StringMatch:
		if v, ok := stringValue(p.StringMatch); ok {
			value, matches = is(v), e.matcher(p.StringMatch)
		} else {
			value = never()
		}
	case *routev3.HeaderMatcher_ExactMatch:
		value, matches = is(Value{Match: Exact, Value: p.ExactMatch}), func(s string) bool { return s == p.ExactMatch }
	case *routev3.HeaderMatcher_PrefixMatch:
		value, matches = is(Value{Match: Prefix, Value: p.PrefixMatch}), func(s string) bool { return strings.HasPrefix(s, p.PrefixMatch) }
	case *routev3.HeaderMatcher_SuffixMatch:
		value, matches = is(Value{Match: Suffix, Value: p.SuffixMatch}), func(s string) bool { return strings.HasSuffix(s, p.SuffixMatch) }
	case *routev3.HeaderMatcher_ContainsMatch:
		value, matches = is(Value{Match: Contains, Value: p.ContainsMatch}), func(s string) bool { return strings.Contains(s, p.ContainsMatch) }
	case *routev3.HeaderMatcher_SafeRegexMatch:
		value = is(Value{Match: Regex, Value: p.SafeRegexMatch.GetRegex()})
	case *routev3.HeaderMatcher_RangeMatch:
		value = is(Value{Match: Range, Value: fmt.Sprintf("%d-%d", p.RangeMatch.GetStart(), p.RangeMatch.GetEnd())})
	default:
		return inverted(present, m.GetInvertMatch())
	}
	if m.GetTreatMissingHeaderAsEmpty() && matches("") {
		value = anyOf([]*Condition{value, not(present)})
	}
	if m.GetInvertMatch() {
		if field != Header || m.GetTreatMissingHeaderAsEmpty() {
			return not(value)
		}
		return allOf([]*Condition{present, not(value)})
	}
	return value
}

// headerField tells what a header is to policies: a property of the request with a name of its own, or a header.
func headerField(name string) (Field, func(Value) *Condition) {
	field := Header
	switch name {
	case ":authority", "host":
		field, name = Host, ""
	case ":method":
		field, name = Method, ""
	}
	return field, func(v Value) *Condition { return test(field, name, v) }
}

func inverted(c *Condition, invert bool) *Condition {
	if invert {
		return not(c)
	}
	return c
}

func blockTest(field Field, block *corev3.CidrRange) *Condition {
	ip, err := netip.ParseAddr(block.GetAddressPrefix())
	if err != nil {
		return never()
	}
	network, err := ip.Prefix(min(int(block.GetPrefixLen().GetValue()), ip.BitLen()))
	if err != nil {
		return never()
	}
	return test(field, "", Value{Match: Block, Value: network.String()})
}

// portTest decides about the port that is called, [start, end), unless it stands for all that nothing declares.
func (e *evaluation) portTest(start, end int64) *Condition {
	if e.port != 0 {
		return decided(int64(e.port) >= start && int64(e.port) < end)
	}
	if end == start+1 {
		return test(Port, "", Value{Match: Exact, Value: strconv.FormatInt(start, 10)})
	}
	return test(Port, "", Value{Match: Range, Value: fmt.Sprintf("%d-%d", start, end)})
}

// serverNameTest: a caller that speaks no TLS names no server.
func (e *evaluation) serverNameTest(m *matcherv3.StringMatcher) *Condition {
	if e.transport == Plaintext {
		return decided(e.matcher(m)(""))
	}
	return stringTest(ServerName, "", m)
}

// metadataTest is about what filters left for the request: the claims of its token, or what only the filter itself knows.
func (e *evaluation) metadataTest(m *matcherv3.MetadataMatcher) *Condition {
	var keys []string
	for _, step := range m.GetPath() {
		keys = append(keys, step.GetKey())
	}
	if m.GetFilter() != jwtFilterName {
		if len(keys) == 0 {
			return inverted(never(), m.GetInvert())
		}
		return inverted(valueTest(m.GetValue(), metadataFields, m.GetFilter()+"["+strings.Join(keys, "][")+"]"), m.GetInvert())
	}
	if len(keys) < 2 || !slices.ContainsFunc(e.tokens, func(t TokenRule) bool { return t.payload == keys[0] }) {
		// Nothing was read from any token: the claim is missing.
		missing := m.GetValue().GetMatchPattern()
		p, ok := missing.(*matcherv3.ValueMatcher_PresentMatch)
		return decided((ok && !p.PresentMatch) != m.GetInvert())
	}
	if keys = keys[1:]; len(keys) == 1 && keys[0] == "iss" && !e.issued(m.GetValue().GetStringMatch()) {
		return inverted(never(), m.GetInvert())
	}
	return inverted(valueTest(m.GetValue(), claimFields, strings.Join(keys, ".")), m.GetInvert())
}

// issued tells whether a token that is taken could be of such an issuer; only a value that is asked for as a string can be known.
func (e *evaluation) issued(m *matcherv3.StringMatcher) bool {
	if m == nil {
		return true
	}
	matches := e.matcher(m)
	return slices.ContainsFunc(e.tokens, func(t TokenRule) bool { return t.Issuer == "" || matches(t.Issuer) })
}

// valueFields are the fields by which a value is tested, and by which an element of a list is.
type valueFields struct {
	value, element Field
	suffix         string
}

var (
	claimFields    = valueFields{value: Claim, element: ClaimElement}
	metadataFields = valueFields{value: Metadata, element: Metadata, suffix: "[]"}
)

func valueTest(m *matcherv3.ValueMatcher, fields valueFields, name string) *Condition {
	literal := func(v string) *Condition { return test(fields.value, name, Value{Match: JSON, Value: v}) }
	switch p := m.GetMatchPattern().(type) {
	case *matcherv3.ValueMatcher_NullMatch_:
		return literal("null")
	case *matcherv3.ValueMatcher_PresentMatch:
		return inverted(test(fields.value, name, Value{Match: Present}), !p.PresentMatch)
	case *matcherv3.ValueMatcher_StringMatch:
		return stringTest(fields.value, name, p.StringMatch)
	case *matcherv3.ValueMatcher_BoolMatch:
		return literal(strconv.FormatBool(p.BoolMatch))
	case *matcherv3.ValueMatcher_DoubleMatch:
		if r := p.DoubleMatch.GetRange(); r != nil {
			return test(fields.value, name, Value{Match: Range, Value: fmt.Sprintf("%g-%g", r.GetStart(), r.GetEnd())})
		}
		return literal(strconv.FormatFloat(p.DoubleMatch.GetExact(), 'g', -1, 64))
	case *matcherv3.ValueMatcher_ListMatch:
		if fields.value == fields.element && fields.suffix == "" || p.ListMatch.GetOneOf().GetListMatch() != nil {
			return never()
		}
		return valueTest(p.ListMatch.GetOneOf(), valueFields{value: fields.element, element: fields.element}, name+fields.suffix)
	case *matcherv3.ValueMatcher_OrMatch:
		var any []*Condition
		for _, each := range p.OrMatch.GetValueMatchers() {
			any = append(any, valueTest(each, fields, name))
		}
		return anyOf(any)
	}
	return never()
}
