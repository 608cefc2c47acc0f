package document

import (
	"context"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// walk adds the files of one directory tree. Nothing in it leads out of the tree.
type walk struct {
	*finder
	tree fs.FS
	base string // the name of the tree's root, as the user gave it
	// above are the directories from the root down to the current one, visited all that were entered.
	above   []fs.FileInfo
	visited []fs.FileInfo
	// links are links to directories inside the tree, looked at last: most lead to what is read anyway.
	links []string
}

// directory adds the YAML and JSON files below a directory, except hidden ones and those in hidden directories and node_modules.
func (f *finder) directory(ctx context.Context, name string) error {
	w := &walk{finder: f, base: name}
	if f.opts.FS != nil {
		sub, err := fs.Sub(f.opts.FS, name)
		if err != nil {
			f.findings = append(f.findings, *unreadable(name, err))
			return nil
		}
		w.tree = sub
	} else {
		root, err := os.OpenRoot(name)
		if err != nil {
			f.findings = append(f.findings, *unreadable(name, err))
			return nil
		}
		f.roots = append(f.roots, root)
		w.tree = root.FS()
	}
	if err := w.enter(ctx, ".", false); err != nil {
		return err
	}
	for i := 0; i < len(w.links); i++ {
		info, err := fs.Stat(w.tree, w.links[i])
		if err != nil || slices.ContainsFunc(w.visited, func(v fs.FileInfo) bool { return os.SameFile(v, info) }) {
			continue
		}
		if err := w.enter(ctx, w.links[i], true); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) name(inTree string) string { return path.Join(w.base, inTree) }

// enter adds the files of a directory of the tree and of those below.
func (w *walk) enter(ctx context.Context, dir string, link bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(w.above) > w.opts.Limits.Depth {
		w.findings = append(w.findings, problem("schema/too-large", w.name(dir), 1, 1, "directories nest too deep"))
		return nil
	}
	if len(w.files) > w.opts.Limits.Files {
		return nil
	}
	info, err := fs.Stat(w.tree, dir)
	if err != nil {
		w.findings = append(w.findings, *unreadable(w.name(dir), err))
		return nil
	}
	w.above = append(w.above, info)
	w.visited = append(w.visited, info)
	defer func() { w.above = w.above[:len(w.above)-1] }()
	entries, err := fs.ReadDir(w.tree, dir)
	if err != nil {
		w.findings = append(w.findings, *unreadable(w.name(dir), err))
	}
	for _, entry := range entries {
		if err := w.entry(ctx, path.Join(dir, entry.Name()), entry, link); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) entry(ctx context.Context, name string, entry fs.DirEntry, link bool) error {
	hidden := strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules" || w.opts.excludes(w.name(name))
	switch {
	case entry.Type()&fs.ModeSymlink != 0:
		if !hidden {
			w.link(name)
		}
	case entry.IsDir():
		if !hidden {
			return w.enter(ctx, name, link)
		}
	case isYAML(name) && entry.Type().IsRegular():
		info, err := entry.Info()
		if err != nil {
			w.findings = append(w.findings, *unreadable(w.name(name), err))
			return nil
		}
		if !hidden {
			w.file(name, info, link)
		}
	}
	return nil
}

func (w *walk) file(name string, info fs.FileInfo, link bool) {
	w.files = append(w.files, file{
		name: w.name(name), info: info, link: link, template: w.isChartTemplate(w.name(name)),
		open: func() (fs.File, error) { return w.tree.Open(name) },
	})
}

// link looks where a symbolic link leads: to a file or directory of the tree, which is read once, or to trouble.
func (w *walk) link(name string) {
	if w.loops[w.name(name)] {
		return
	}
	info, err := fs.Stat(w.tree, name)
	switch {
	case err != nil:
		if isYAML(name) || w.leadsToDirectory(name) || w.markLoop(name) {
			w.markLoop(name)
			w.findings = append(w.findings, *unreadable(w.name(name), err))
		}
	case !info.IsDir():
		if isYAML(name) && info.Mode().IsRegular() {
			w.file(name, info, true)
		}
	case slices.ContainsFunc(w.above, func(dir fs.FileInfo) bool { return os.SameFile(dir, info) }):
		w.findings = append(w.findings, problem("schema/unreadable", w.name(name), 1, 1,
			"cannot be read: the symbolic link leads back to a directory that it stands in"))
	default:
		w.links = append(w.links, name)
	}
}

// leadsToDirectory tells whether a link out of the tree hides a directory, whose YAML would be missed.
func (w *walk) leadsToDirectory(name string) bool {
	if w.opts.FS != nil {
		return false
	}
	info, err := os.Stat(w.name(name))
	return err == nil && info.IsDir()
}

// markLoop remembers the links of a loop, so that it is reported once, and tells whether there is one.
func (w *walk) markLoop(name string) bool {
	seen := []string{}
	for at := name; ; {
		if slices.Contains(seen, at) {
			for _, link := range seen {
				w.loops[w.name(link)] = true
			}
			return true
		}
		seen = append(seen, at)
		target, err := fs.ReadLink(w.tree, at)
		if err != nil || path.IsAbs(target) || len(seen) > 255 {
			return false
		}
		at = path.Join(path.Dir(at), target)
	}
}
