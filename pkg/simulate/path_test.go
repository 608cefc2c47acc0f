package simulate

import (
	"regexp"
	"strings"
	"testing"
)

// TestCanonicalPath holds what Envoy 1.40 was seen to make of these paths with normalize_path.
func TestCanonicalPath(t *testing.T) {
	for path, want := range map[string]string{
		"/a/./b":               "/a/b",
		"/a/../b":              "/b",
		"/../b":                "/b",
		"/a/..":                "/",
		"/a/.":                 "/a/",
		"/a/b/../../../c":      "/c",
		"/.":                   "/",
		"/a/...":               "/a/...",
		"/a/.b":                "/a/.b",
		"/a//../b":             "/a/b",
		"//a//b":               "//a//b",
		`/a\b`:                 "/a/b",
		`/a/..\b`:              "/b",
		"/a/%2e%2E/b":          "/b",
		"/a/.%2e":              "/",
		"/%73hop%2Fcart":       "/shop%2Fcart",
		"/%":                   "/%",
		"/%zz/%4":              "/%zz/%4",
		"/%25%32%65/":          "/%252e/",
		"/%%32%65":             "/%252e",
		"/%%32e":               "/%252e",
		"/%2%65":               "/%252e",
		"/a;b/../c":            "/c",
		`/"<>^` + "`" + `{|}`:  "/%22%3C%3E%5E%60%7B%7C%7D",
		"/-._~!$&'()*+,:;=@[]": "/-._~!$&'()*+,:;=@[]",
	} {
		if got, ok := canonicalPath(path); got != want || !ok {
			t.Errorf("%s became %s, %v; want %s", path, got, ok, want)
		}
	}
	if got, ok := canonicalPath("/a%00"); ok {
		t.Errorf("a path with NUL became %s", got)
	}
}

func TestMergeSlashes(t *testing.T) {
	for path, want := range map[string]string{"/a": "/a", "/a//b": "/a/b", "//a///b//": "/a/b/", "//": "//", "///": "//"} {
		if got := mergeSlashes(path); got != want {
			t.Errorf("%s became %s, want %s", path, got, want)
		}
	}
}

// FuzzCanonicalPath: a normalized path begins with a slash, has no dot segments left, and stays as it is when normalized again.
func FuzzCanonicalPath(f *testing.F) {
	for _, seed := range []string{"/", "/a/../b", "/%2e%2e/%2E", "/%%32%65", "a", `\..\`, "/%25%32%65", "/%2%65", "/\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		once, ok := canonicalPath(path)
		if !ok {
			return
		}
		if !strings.HasPrefix(once, "/") {
			t.Fatalf("%q became %q", path, once)
		}
		for segment := range strings.SplitSeq(once, "/") {
			if segment == "." || segment == ".." {
				t.Fatalf("%q became %q", path, once)
			}
		}
		if twice, ok := canonicalPath(once); !ok || twice != once {
			t.Fatalf("%q became %q and then %q", path, once, twice)
		}
		if merged := mergeSlashes(once); strings.Contains(strings.TrimSuffix(merged, "/"), "//") && merged != "//" {
			t.Fatalf("%q became %q", once, merged)
		}
	})
}

// FuzzExpansion: a substitution without groups comes out as it is, whatever signs it holds, and none makes the rewrite fail.
func FuzzExpansion(f *testing.F) {
	for _, seed := range []string{"/x", "$1", "${0}", "$$", `\\`, "a$"} {
		f.Add(seed)
	}
	pattern := regexp.MustCompile("a(b)")
	f.Fuzz(func(t *testing.T, substitution string) {
		got := pattern.ReplaceAllString("ab", expansion(substitution))
		if !strings.Contains(substitution, `\`) && got != substitution {
			t.Fatalf("%q became %q", substitution, got)
		}
	})
}
