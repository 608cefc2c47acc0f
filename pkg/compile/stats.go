package compile

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	metricsv3 "github.com/envoyproxy/go-control-plane/envoy/config/metrics/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	"istio.io/api/annotation"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model/resource"
)

// Statistics says how a proxy names its own statistics, which of them it keeps, and how often it passes them on. It is a part of the
// bootstrap, not of xDS.
type Statistics struct {
	Config *metricsv3.StatsConfig
	// FlushInterval is how often statistics go to sinks, nil for Envoy's five seconds; EvictionInterval how long one that does not change
	// is kept, nil for ever.
	FlushInterval, EvictionInterval *durationpb.Duration
}

// statsTag takes a part of a statistic's name for a tag: the first group of the expression is cut out, the second is the tag's value.
type statsTag struct{ name, regex string }

// tagsBefore are the tags of Istio's bootstrap that come before those of extraStatTags. Names of clusters and connection managers end in a
// semicolon in statistics, so that a dot in them does not end them
// (https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/metrics/v3/stats.proto#config-metrics-v3-tagspecifier).
func tagsBefore() []statsTag {
	return []statsTag{
		{"cluster_name", `^cluster(\.(.+);)`},
		{"http_conn_manager_prefix", `^http\.(((?:[_.[:digit:]\w]*|[_\[\]aAbBcCdDeEfF[:digit:]\w\:]*));\.)`},
		{"thread_name", `^server(\.(.+))\.watchdog`},
		{"tcp_prefix", `^tcp\.((.*?)\.)\w+?$`},
		{"response_code", `_rq(_(\d{3}))$`},
		{"response_code_class", `_rq(_(\dxx))$`},
		{"http_conn_manager_listener_prefix", `^listener(?=\.).*?\.http\.(((?:[_.[:digit:]]*|[_\[\]aAbBcCdDeEfF[:digit:]]*))\.)`},
		{"listener_address", `^listener\.(((?:[_.[:digit:]]*|[_\[\]aAbBcCdDeEfF[:digit:]]*))\.)`},
		{"mongo_prefix", `^mongo\.(.+?)\.(collection|cmd|cx_|op_|delays_|decoding_)(.*?)$`},
	}
}

// tagsAfter are those that come after.
func tagsAfter() []statsTag {
	return []statsTag{
		{"cache", `(cache\.(.+?)\.)`},
		{"component", `(component\.(.+?)\.)`},
		{"tag", `(tag\.(.+?);\.)`},
		{"wasm_filter", `(wasm_filter\.(.+?)\.)`},
		{"authz_enforce_result", `rbac(\.(allowed|denied))`},
		{"authz_dry_run_action", `(\.istio_dry_run_(allow|deny)_)`},
		{"authz_dry_run_result", `(\.shadow_(allowed|denied))`},
	}
}

// statsReader reads what a proxy's ProxyConfig and annotations say of statistics, where each of it stands, and what of it means nothing.
type statsReader struct {
	b        *builder
	sources  []resource.Source
	findings []diag.Finding
}

// statistics compiles stats_config as Istio's agent writes it, with one difference: stock Envoy has no metrics of Istio's, which are all that
// the agent keeps beside its own needs. So it keeps all of Envoy's own until somebody asks for some.
func (b *builder) statistics() (Statistics, []diag.Finding) {
	r := &statsReader{b: b}
	config := &metricsv3.StatsConfig{UseAllDefaultTags: wrapperspb.Bool(false)}
	for _, tag := range slices.Concat(tagsBefore(), r.extraTags(), tagsAfter()) {
		config.StatsTags = append(config.StatsTags, &metricsv3.TagSpecifier{
			TagName: tag.name, TagValue: &metricsv3.TagSpecifier_Regex{Regex: tag.regex},
		})
	}
	config.StatsMatcher = r.matcher()
	config.HistogramBucketSettings = r.histograms()
	out := Statistics{Config: config}
	out.FlushInterval, out.EvictionInterval = r.intervals()
	b.sources.Add(config, r.sources...)
	return out, r.findings
}

// annotation returns an annotation of the pod and notes that it counts; "" where there is none.
func (r *statsReader) annotation(name string) string {
	value := r.b.proxy.Annotations[name]
	if value != "" {
		r.sources = append(r.sources, r.b.proxy.AnnotationSource(name))
	}
	return value
}

// field notes that a field of ProxyConfig counts.
func (r *statsReader) field(name string) {
	r.sources = append(r.sources, r.b.mesh.ProxyConfigSource(r.b.proxy, name))
}

// bad reports an annotation that has no effect.
func (r *statsReader) bad(name, format string, args ...any) {
	r.findings = append(r.findings, gap(r.b.proxy.AnnotationSource(name), fmt.Sprintf("annotation %s of %s is not compiled: ", name, r.b.proxy.ID())+fmt.Sprintf(format, args...)))
}

// extraTags are those of ProxyConfig.extraStatTags and the annotation, each once.
func (r *statsReader) extraTags() []statsTag {
	names := slices.Clone(r.b.proxyConfig().GetExtraStatTags())
	if len(names) > 0 {
		r.field("extraStatTags")
	}
	names = append(names, strings.Split(r.annotation(annotation.SidecarExtraStatTags.Name), ",")...)
	var tags []statsTag
	for i, name := range names {
		if name == "" || slices.Index(names, name) < i {
			continue
		}
		tag := statsTag{name, `(` + name + `=\.=(.*?);\.;)`}
		if _, err := regexp.Compile(tag.regex); err != nil {
			r.findings = append(r.findings, gap(r.sources[len(r.sources)-1], fmt.Sprintf("the tag %q is not compiled: Envoy refuses it as a regular expression", name)))
			continue
		}
		tags = append(tags, tag)
	}
	return tags
}

// inclusion is one way to say which statistics are kept: an annotation, or else a field of ProxyConfig.proxyStatsMatcher, and what Istio
// keeps in any case.
type inclusion struct {
	annotation string
	configured []string
	required   []string
	pattern    func(string) *matcherv3.StringMatcher
}

func (r *statsReader) inclusions() []inclusion {
	given := r.b.proxyConfig().GetProxyStatsMatcher()
	return []inclusion{
		{annotation.SidecarStatsInclusionPrefixes.Name, given.GetInclusionPrefixes(),
			[]string{"cluster_manager", "listener_manager", "server", "cluster.xds-grpc", "wasm"}, prefixPattern},
		{annotation.SidecarStatsInclusionSuffixes.Name, given.GetInclusionSuffixes(),
			[]string{"rbac.allowed", "rbac.denied", "shadow_allowed", "shadow_denied"}, suffixPattern},
		{annotation.SidecarStatsInclusionRegexps.Name, given.GetInclusionRegexps(), []string{`vhost\..*\.route\..*`}, regexPattern},
	}
}

// matcher keeps the statistics that are asked for; nil keeps all.
func (r *statsReader) matcher() *metricsv3.StatsMatcher {
	patterns := []*matcherv3.StringMatcher{prefixPattern("reporter=")}
	asked := r.b.target == IstioProxy
	if r.b.proxyConfig().GetProxyStatsMatcher() != nil {
		asked = true
		r.field("proxyStatsMatcher")
	}
	for _, in := range r.inclusions() {
		values := in.configured
		if text := r.annotation(in.annotation); text != "" {
			asked = true
			values = strings.Split(text, ",")
		}
		for _, value := range slices.Concat(values, in.required) {
			value = strings.ReplaceAll(value, "{pod_ip}", r.b.proxy.IP)
			pattern := in.pattern(value)
			if regex := pattern.GetSafeRegex().GetRegex(); value == "" || regex != "" && !compiles(regex) {
				r.findings = append(r.findings, gap(r.sources[len(r.sources)-1], fmt.Sprintf("the inclusion %q of statistics is not compiled: Envoy refuses it", value)))
				continue
			}
			patterns = append(patterns, pattern)
		}
	}
	if !asked {
		return nil
	}
	patterns = append(patterns, prefixPattern("component"), prefixPattern("istio"))
	return &metricsv3.StatsMatcher{StatsMatcher: &metricsv3.StatsMatcher_InclusionList{
		InclusionList: &matcherv3.ListStringMatcher{Patterns: patterns},
	}}
}

func compiles(regex string) bool {
	_, err := regexp.Compile(regex)
	return err == nil
}

func prefixPattern(value string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: value}}
}

func suffixPattern(value string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Suffix{Suffix: value}}
}

func regexPattern(value string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: value}}}
}

// histograms are the bounds of histograms by the prefix of their names, which the annotation gives as JSON.
func (r *statsReader) histograms() []*metricsv3.HistogramBucketSettings {
	name := annotation.SidecarStatsHistogramBuckets.Name
	text := r.annotation(name)
	if text == "" {
		return nil
	}
	var given map[string][]float64
	if err := json.Unmarshal([]byte(text), &given); err != nil {
		r.bad(name, "it is no JSON object of lists of numbers")
		return nil
	}
	var out []*metricsv3.HistogramBucketSettings
	for _, prefix := range slices.Sorted(maps.Keys(given)) {
		buckets := given[prefix]
		if prefix == "" || len(buckets) == 0 || buckets[0] <= 0 || !slices.IsSorted(buckets) || len(slices.Compact(slices.Clone(buckets))) < len(buckets) {
			r.bad(name, "the buckets of %q are no ascending positive numbers, which Envoy refuses", prefix)
			continue
		}
		out = append(out, &metricsv3.HistogramBucketSettings{Match: prefixPattern(prefix), Buckets: buckets})
	}
	return out
}

// defaultFlush is how often Envoy passes statistics on where nothing else is said.
const defaultFlush = 5 * time.Second

// intervals are those of the annotations. Envoy evicts with every so many flushes, so that one has to be a multiple of the other.
func (r *statsReader) intervals() (flush, eviction *durationpb.Duration) {
	every := defaultFlush
	if d, ok := r.duration(annotation.SidecarStatsFlushInterval.Name); ok {
		// Envoy refuses what is outside these bounds.
		if d < time.Millisecond || d > 5*time.Minute {
			r.bad(annotation.SidecarStatsFlushInterval.Name, "%v is not between 1ms and 5m", d)
		} else {
			every, flush = d, durationpb.New(d)
		}
	}
	if d, ok := r.duration(annotation.SidecarStatsEvictionInterval.Name); ok {
		if d <= 0 || d%every != 0 {
			r.bad(annotation.SidecarStatsEvictionInterval.Name, "%v is no multiple of the flush interval, %v", d, every)
		} else {
			eviction = durationpb.New(d)
		}
	}
	return flush, eviction
}

func (r *statsReader) duration(name string) (time.Duration, bool) {
	text := r.annotation(name)
	if text == "" {
		return 0, false
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		r.bad(name, "%q is no duration such as 10s", text)
	}
	return d, err == nil
}
