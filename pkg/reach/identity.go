package reach

import "strings"

// The forms in which the compiler writes what policies say of identities, as regular expressions.

// namespaceOf reads that of a namespace, which may have stars.
func namespaceOf(pattern string) (namespace string, ok bool) {
	rest, begins := strings.CutPrefix(pattern, ".*/ns/")
	rest, ends := strings.CutSuffix(rest, "/.*")
	return unquoted(rest), begins && ends
}

// accountOf reads that of a service account.
func accountOf(pattern string) (account [2]string, ok bool) {
	rest, begins := strings.CutPrefix(pattern, spiffe+".+/ns/")
	rest, ends := strings.CutSuffix(rest, "(/.+)?")
	namespace, name, found := strings.Cut(rest, "/(.+/|)sa/")
	return [2]string{unquoted(namespace), unquoted(name)}, begins && ends && found
}

// domainOf reads that of a trust domain, which may have stars.
func domainOf(pattern string) (domain string, ok bool) {
	rest, begins := strings.CutPrefix(pattern, spiffe)
	rest, ends := strings.CutSuffix(rest, "/.*")
	domain = unquoted(rest)
	return domain, begins && ends && !strings.Contains(domain, "/")
}

// unquoted undoes what the compiler does to a value to write it into a regular expression.
func unquoted(pattern string) string {
	return strings.NewReplacer("[^/]+", "*", "[^/]*", "*", ".*", "*", `\`, "").Replace(pattern)
}
