package engine

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
)

// similarTo: mesh.similar(word, list): the word of the list (or set) that was probably meant; undefined where none is near.
func similarTo(_ rego.BuiltinContext, word, list *ast.Term) (*ast.Term, error) {
	asked := str(word)
	best, distance := "", len(asked)/3+2
	consider := func(t *ast.Term) {
		name := str(t)
		if d := edits(asked, name, distance); name != "" && d < distance {
			best, distance = name, d
		}
	}
	switch v := list.Value.(type) {
	case *ast.Array:
		v.Foreach(consider)
	case ast.Set:
		v.Sorted().Foreach(consider)
	}
	if best == "" {
		return nil, nil
	}
	return ast.StringTerm(best), nil
}

// edits is how many insertions, deletions and replacements of bytes lead from a to b, or most if they are that many or more.
func edits(a, b string, most int) int {
	if len(a)-len(b) >= most || len(b)-len(a) >= most {
		return most
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		least := row[0]
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
			least = min(least, row[j+1])
		}
		if least >= most {
			return most
		}
	}
	return min(row[len(b)], most)
}
