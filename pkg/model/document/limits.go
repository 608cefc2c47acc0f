package document

// Limits bound what hostile or mistaken input can cost. A zero field means its default.
type Limits struct {
	// FileBytes is the largest file read, in bytes; default 64 MiB. It also bounds standard input.
	FileBytes int64
	// DocumentBytes is the largest single document parsed, in bytes; default 16 MiB. (Kubernetes itself refuses objects beyond 3 MiB; the
	// room is for List documents.)
	DocumentBytes int
	// Depth is how deep mappings and sequences may nest; default 200.
	Depth int
	// AliasNodes is how many nodes a document's aliases may stand for altogether; default 100,000.
	AliasNodes int
	// Files is how many files one load may read; default 100,000.
	Files int
	// Documents is how many documents one load may hold; default 1,000,000.
	Documents int
}

func (l Limits) withDefaults() Limits {
	setDefault(&l.FileBytes, 64<<20)
	setDefault(&l.DocumentBytes, 16<<20)
	setDefault(&l.Depth, 200)
	setDefault(&l.AliasNodes, 100_000)
	setDefault(&l.Files, 100_000)
	setDefault(&l.Documents, 1_000_000)
	return l
}

func setDefault[N int | int64](field *N, value N) {
	if *field <= 0 {
		*field = value
	}
}
