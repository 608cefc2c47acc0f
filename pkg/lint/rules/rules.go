// Package rules holds meshc's rules, a folder each: KIND/WHAT-IS-WRONG/ with
//
//	rule.yaml   what the rule is called, why it matters, what mends it (see Rule)
//	rule.rego   the rule itself; absent where Go decides (schema/…)
//	bad.yaml    an example that the rule reports
//	good.yaml   the example mended, on which every rule is silent
//
// A folder is all that a rule needs: nothing is registered anywhere. Rules of users have the same form.
package rules

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/pkg/diag"
)

//go:embed */*/*.yaml */*/*.rego
var builtin embed.FS

// Builtin are meshc's own rules.
func Builtin() fs.FS { return builtin }

// Rule is what a rule folder says of itself.
type Rule struct {
	// Name is KIND/WHAT-IS-WRONG, the folder's path.
	Name string `json:"-"`
	// Title says in one line what is wrong.
	Title    string        `json:"title"`
	Severity diag.Severity `json:"severity"`
	// Aliases are the codes that users of istioctl and Kiali know it by.
	Aliases []string `json:"aliases,omitempty"`
	// Kinds are the kinds of resources that the rule looks at; Gateway means Istio's, that of the Gateway API is written
	// Gateway.gateway.networking.k8s.io.
	Kinds []string `json:"kinds"`
	// When are fields of which a resource must have one for the rule to have anything to say of it: spec.http.route.weight is that of any route.
	// Where no resource has one, the rule is not even compiled. None means that it may be about any resource of its kinds.
	When []string `json:"when,omitempty"`
	// Needs are kinds without which the rule can't decide, alternatives joined by |: "Service|ServiceEntry". Workload is any kind of workload,
	// MeshConfig the mesh's settings, wherever they stand. Where the input has none, the
	// rule is reported as unchecked, or, if Unmet is set, run with that severity at most.
	Needs []string      `json:"needs,omitempty"`
	Unmet diag.Severity `json:"unmet,omitempty"`
	// Stage says which command reports it, if `meshc lint` does not: "compile". For "load" it is about files, so that no example can show it.
	Stage string `json:"stage,omitempty"`
	// Why says what happens if nobody mends it, Description what exactly is reported, Fix how to mend it.
	Why         string `json:"why"`
	Description string `json:"description"`
	Fix         string `json:"fix"`
	// Links lead to Istio's and Envoy's documentation.
	Links []string `json:"links,omitempty"`
	// Source is the Rego text, "" where Go decides; Bad and Good are the examples. Only Load with examples reads the latter two.
	Source string `json:"-"`
	// Builtin is set for meshc's own rules, which tests have checked.
	Builtin bool   `json:"-"`
	Bad     string `json:"-"`
	Good    string `json:"-"`
}

// Limits for rule folders, which users write too.
const (
	mostRules = 2000
	mostBytes = 1 << 20
)

// Load reads the rule folders of a tree, ordered by name.
func Load(tree fs.FS, examples bool) ([]Rule, error) {
	files, err := fs.Glob(tree, "*/*/rule.yaml")
	if err != nil {
		return nil, err
	}
	if len(files) > mostRules {
		return nil, fmt.Errorf("%d rule folders: at most %d are read", len(files), mostRules)
	}
	all := make([]Rule, 0, len(files))
	for _, file := range files {
		rule, err := load(tree, path.Dir(file), examples)
		if err != nil {
			return nil, err
		}
		all = append(all, rule)
	}
	slices.SortFunc(all, func(a, b Rule) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

func load(tree fs.FS, dir string, examples bool) (Rule, error) {
	rule := Rule{Name: dir}
	text, err := read(tree, path.Join(dir, "rule.yaml"))
	if err != nil {
		return rule, err
	}
	if err := yaml.UnmarshalStrict([]byte(text), &rule); err != nil {
		return rule, fmt.Errorf("%s/rule.yaml: %s", dir, strings.TrimPrefix(err.Error(), "error unmarshaling JSON: "))
	}
	switch {
	case rule.Title == "":
		return rule, fmt.Errorf("%s/rule.yaml: title is missing", dir)
	case rule.Severity != diag.Error && rule.Severity != diag.Warning && rule.Severity != diag.Info:
		return rule, fmt.Errorf("%s/rule.yaml: severity must be error, warning or info", dir)
	case len(rule.Kinds) == 0:
		return rule, fmt.Errorf("%s/rule.yaml: kinds is missing", dir)
	}
	rule.Source, err = read(tree, path.Join(dir, "rule.rego"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return rule, err
	}
	if examples {
		// Examples are for people: a rule works without.
		rule.Bad, _ = read(tree, path.Join(dir, "bad.yaml"))
		rule.Good, _ = read(tree, path.Join(dir, "good.yaml"))
	}
	return rule, nil
}

func read(tree fs.FS, name string) (string, error) {
	info, err := fs.Stat(tree, name)
	if err != nil {
		return "", err
	}
	if info.Size() > mostBytes {
		return "", fmt.Errorf("%s: more than %d bytes", name, mostBytes)
	}
	b, err := fs.ReadFile(tree, name)
	return string(b), err
}

// Package is the Rego package of the rule: KIND.WHAT_IS_WRONG.
func (r *Rule) Package() string {
	return strings.NewReplacer("/", ".", "-", "_").Replace(r.Name)
}
