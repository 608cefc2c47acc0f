package simulate

import (
	"regexp"
	"strconv"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// stringMatcher decides about one string; words say in a trace what it wants.
type stringMatcher struct {
	matches func(string) bool
	words   string
}

func equals(want string, fold bool) stringMatcher {
	return textMatcher("be", want, fold, func(s, want string) bool { return s == want })
}

// textMatcher compares by a function, in lower case where the case is to be ignored.
func textMatcher(verb, want string, fold bool, compare func(s, want string) bool) stringMatcher {
	m := stringMatcher{words: verb + " " + strconv.Quote(want)}
	if fold {
		lower := lowerASCII(want)
		m.words += " in any case"
		m.matches = func(s string) bool { return compare(lowerASCII(s), lower) }
	} else {
		m.matches = func(s string) bool { return compare(s, want) }
	}
	return m
}

// regexMatcher matches the whole string, as Envoy does with RE2, whose syntax Go's regexp shares. A pattern that does not compile, with which Envoy
// refuses the configuration, matches nothing.
func regexMatcher(pattern string) stringMatcher {
	m := stringMatcher{words: "match the regex " + strconv.Quote(pattern), matches: func(string) bool { return false }}
	if _, err := regexp.Compile(pattern); err != nil {
		m.words += ", which is none"
		return m
	}
	if whole, err := regexp.Compile(`\A(?:` + pattern + `)\z`); err == nil {
		m.matches = whole.MatchString
	}
	return m
}

func newStringMatcher(in *matcherv3.StringMatcher) stringMatcher {
	fold := in.GetIgnoreCase()
	switch p := in.GetMatchPattern().(type) {
	case *matcherv3.StringMatcher_Exact:
		return equals(p.Exact, fold)
	case *matcherv3.StringMatcher_Prefix:
		return textMatcher("begin with", p.Prefix, fold, strings.HasPrefix)
	case *matcherv3.StringMatcher_Suffix:
		return textMatcher("end with", p.Suffix, fold, strings.HasSuffix)
	case *matcherv3.StringMatcher_Contains:
		return textMatcher("contain", p.Contains, fold, strings.Contains)
	case *matcherv3.StringMatcher_SafeRegex:
		return regexMatcher(p.SafeRegex.GetRegex())
	}
	return stringMatcher{words: "meet a condition that meshc does not know", matches: func(string) bool { return false }}
}

// headerMatcher decides about one header.
type headerMatcher struct {
	name string
	// value is nil for a matcher of presence alone.
	value          *stringMatcher
	present        bool
	invert         bool
	missingIsEmpty bool
}

func newHeaderMatcher(in *routev3.HeaderMatcher) headerMatcher {
	m := headerMatcher{
		name: strings.ToLower(in.GetName()), present: true, invert: in.GetInvertMatch(), missingIsEmpty: in.GetTreatMissingHeaderAsEmpty(),
	}
	if value, ok := headerValue(in); ok {
		m.value = &value
	} else if p, ok := in.GetHeaderMatchSpecifier().(*routev3.HeaderMatcher_PresentMatch); ok {
		m.present = p.PresentMatch
	}
	return m
}

// headerValue returns the condition on a header's value; the older fields are still what EnvoyFilters hold.
func headerValue(in *routev3.HeaderMatcher) (stringMatcher, bool) {
	//lint:ignore SA1019 Envoy takes the older forms yet.
	switch p := in.GetHeaderMatchSpecifier().(type) {
	case *routev3.HeaderMatcher_StringMatch:
		return newStringMatcher(p.StringMatch), true
	case *routev3.HeaderMatcher_ExactMatch:
		return equals(p.ExactMatch, false), true
	case *routev3.HeaderMatcher_PrefixMatch:
		return textMatcher("begin with", p.PrefixMatch, false, strings.HasPrefix), true
	case *routev3.HeaderMatcher_SuffixMatch:
		return textMatcher("end with", p.SuffixMatch, false, strings.HasSuffix), true
	case *routev3.HeaderMatcher_ContainsMatch:
		return textMatcher("contain", p.ContainsMatch, false, strings.Contains), true
	case *routev3.HeaderMatcher_SafeRegexMatch:
		return regexMatcher(p.SafeRegexMatch.GetRegex()), true
	case *routev3.HeaderMatcher_RangeMatch:
		return rangeMatcher(p.RangeMatch.GetStart(), p.RangeMatch.GetEnd()), true
	}
	return stringMatcher{}, false
}

// rangeMatcher takes whole numbers from start up to but not including end.
func rangeMatcher(start, end int64) stringMatcher {
	return stringMatcher{
		words: "be a number from " + strconv.FormatInt(start, 10) + " to below " + strconv.FormatInt(end, 10),
		matches: func(s string) bool {
			n, err := strconv.ParseInt(s, 10, 64)
			return err == nil && n >= start && n < end
		},
	}
}

// matches follows Envoy: a header that is missing fails a condition on its value, inverted or not, unless it is to count as empty.
func (m *headerMatcher) matches(r *request) bool {
	value, has := r.header(m.name)
	if !has && m.missingIsEmpty {
		has = true
	}
	if m.value == nil {
		return (has == m.present) != m.invert
	}
	return has && m.value.matches(value) != m.invert
}

func (m *headerMatcher) String() string {
	words := "be present"
	if m.value != nil {
		words = m.value.words
	}
	if m.invert != (m.value == nil && !m.present) {
		words = "not " + words
	}
	return "header " + m.name + " must " + words
}

// queryMatcher decides about the first of the query parameters of a name. Nothing is decoded: Envoy compares them as sent.
type queryMatcher struct {
	name    string
	value   *stringMatcher
	present bool
}

func newQueryMatcher(in *routev3.QueryParameterMatcher) queryMatcher {
	m := queryMatcher{name: in.GetName(), present: true}
	switch p := in.GetQueryParameterMatchSpecifier().(type) {
	case *routev3.QueryParameterMatcher_StringMatch:
		value := newStringMatcher(p.StringMatch)
		m.value = &value
	case *routev3.QueryParameterMatcher_PresentMatch:
		m.present = p.PresentMatch
	}
	return m
}

func (m *queryMatcher) matches(path string) bool {
	value, has := queryParameter(path, m.name)
	if m.value == nil {
		return has == m.present
	}
	return has && m.value.matches(value)
}

func (m *queryMatcher) String() string {
	condition := "be present"
	if m.value != nil {
		condition = m.value.words
	} else if !m.present {
		condition = "not be present"
	}
	return "query parameter " + m.name + " must " + condition
}

func queryParameter(path, name string) (string, bool) {
	_, query, _ := strings.Cut(path, "?")
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if key == name && pair != "" {
			return value, true
		}
	}
	return "", false
}
