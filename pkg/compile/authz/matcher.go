package authz

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// stringMatcher matches as policies write values: exactly, by prefix (`a*`), by suffix (`*a`), or anything that is not empty (`*`). The prefix
// comes before every value.
func stringMatcher(prefix, value string) *matcherv3.StringMatcher {
	switch {
	case value == "*":
		return regexMatcher(".+")
	case strings.HasPrefix(value, "*") && prefix != "":
		return regexMatcher(prefix + ".*" + regexp.QuoteMeta(value[1:]))
	default:
		return plainMatcher(prefix, value)
	}
}

// plainMatcher is stringMatcher for a value other than `*` and without a regular expression.
func plainMatcher(prefix, value string) *matcherv3.StringMatcher {
	if suffix, ok := strings.CutPrefix(value, "*"); ok {
		return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Suffix{Suffix: suffix}}
	}
	if start, ok := strings.CutSuffix(value, "*"); ok {
		return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: prefix + start}}
	}
	return exactMatcher(prefix + value)
}

func exactMatcher(value string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: value}}
}

func regexMatcher(regex string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: regex}}}
}

func headerMatcher(name, value string, ignoreCase bool) *routev3.HeaderMatcher {
	if value == "*" {
		return &routev3.HeaderMatcher{Name: name, HeaderMatchSpecifier: &routev3.HeaderMatcher_PresentMatch{PresentMatch: true}}
	}
	m := plainMatcher("", value)
	m.IgnoreCase = ignoreCase
	return &routev3.HeaderMatcher{Name: name, HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: m}}
}

// cidrRange reads an address block, or an address alone.
func cidrRange(block string) (*corev3.CidrRange, error) {
	prefix, err := netip.ParsePrefix(block)
	if !strings.Contains(block, "/") {
		var addr netip.Addr
		addr, err = netip.ParseAddr(block)
		prefix = netip.PrefixFrom(addr, addr.BitLen())
	}
	if err != nil {
		return nil, fmt.Errorf("%q is neither an address nor a block of addresses", block)
	}
	return &corev3.CidrRange{AddressPrefix: prefix.Addr().String(), PrefixLen: wrapperspb.UInt32(uint32(prefix.Bits()))}, nil
}

func stringValue(value string) *matcherv3.ValueMatcher {
	return &matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_StringMatch{StringMatch: stringMatcher("", value)}}
}

// listValue matches a list one of whose elements matches.
func listValue(element *matcherv3.ValueMatcher) *matcherv3.ValueMatcher {
	return &matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_ListMatch{ListMatch: &matcherv3.ListMatcher{
		MatchPattern: &matcherv3.ListMatcher_OneOf{OneOf: element},
	}}}
}

func anyValue(matchers []*matcherv3.ValueMatcher) *matcherv3.ValueMatcher {
	if len(matchers) == 1 {
		return matchers[0]
	}
	return &matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_OrMatch{OrMatch: &matcherv3.OrMatcher{ValueMatchers: matchers}}}
}

func metadataMatcher(filter string, keys []string, value *matcherv3.ValueMatcher) *matcherv3.MetadataMatcher {
	m := &matcherv3.MetadataMatcher{Filter: filter, Value: value}
	for _, key := range keys {
		m.Path = append(m.Path, &matcherv3.MetadataMatcher_PathSegment{Segment: &matcherv3.MetadataMatcher_PathSegment_Key{Key: key}})
	}
	return m
}

// claimMatcher matches a claim of the request's token, which the JWT filter leaves in its metadata.
func claimMatcher(claim []string, value *matcherv3.ValueMatcher) *matcherv3.MetadataMatcher {
	return metadataMatcher(JWTFilterName, append([]string{tokenPayload}, claim...), value)
}

// claimOrElement matches a claim that is one of the values, or a list that holds one.
func claimOrElement(claim, values []string) *matcherv3.MetadataMatcher {
	matcher := func() *matcherv3.ValueMatcher {
		var any []*matcherv3.ValueMatcher
		for _, value := range values {
			any = append(any, stringValue(value))
		}
		return anyValue(any)
	}
	return claimMatcher(claim, anyValue([]*matcherv3.ValueMatcher{listValue(matcher()), matcher()}))
}
