package mirror

import (
	"hash/maphash"
	"maps"
	"slices"
	"sync"

	"github.com/lanyardctl/lanyardctl/internal/rejectsfile"
	"github.com/lanyardctl/lanyardctl/record"
)

// files are where rejects and superseded values are kept.
type files struct {
	rejects, superseded *rejectsfile.Writer
}

func newFiles(path string, run rejectsfile.Run) files {
	return files{rejectsfile.NewWriter(path, run), rejectsfile.NewWriter(rejectsfile.SupersededPath(path), run)}
}

// keep writes superseded values for good.
func (f files) keep(values []record.Superseded) error {
	for _, v := range values {
		if err := f.superseded.AddSuperseded(v); err != nil {
			return err
		}
	}
	return f.superseded.Flush()
}

// problems are what cannot be mirrored at the moment: values that the target cannot hold or that are none, documents that
// somebody else wrote, and those that are held back.
type problems struct {
	rejects *rejectsfile.Writer

	mu     sync.Mutex
	seed   maphash.Seed
	by     map[mark]problem
	counts [fateCount]int64
	again  map[mark]int // how often a key was found with another user
	added  bool         // lines to the rejects file, since it was flushed
	err    error        // of the rejects file
}

type problem struct {
	fate  Fate
	lines uint64 // a hash of the lines in the rejects file
}

func newProblems(rejects *rejectsfile.Writer) *problems {
	return &problems{rejects: rejects, seed: maphash.MakeSeed(), by: make(map[mark]problem), again: make(map[mark]int)}
}

// enter takes in what became of a mark. Its rejects are written where they are not those of the last time.
func (p *problems) enter(k mark, f Fate, rejects []record.Reject) {
	p.mu.Lock()
	defer p.mu.Unlock()
	was, had := p.by[k]
	if had {
		p.counts[was.fate]--
	}
	if !f.isProblem() && len(rejects) == 0 {
		delete(p.by, k)
		return
	}
	now := problem{fate: f, lines: p.hash(rejects)}
	if !f.isProblem() {
		now.fate = Rejected // some of its pairs
	}
	p.by[k] = now
	p.counts[now.fate]++
	if had && was.lines == now.lines {
		return
	}
	for _, r := range rejects {
		p.added = true
		if err := p.rejects.Add(r); err != nil && p.err == nil {
			p.err = err
		}
	}
}

func (p *problems) hash(rejects []record.Reject) uint64 {
	var h maphash.Hash
	h.SetSeed(p.seed)
	for _, r := range rejects {
		for _, text := range []string{r.Key, r.Field, string(r.Reason), r.Value.Data} {
			_, _ = h.WriteString(text) // never fails
			_ = h.WriteByte(0)
		}
	}
	return h.Sum64()
}

// count returns how many of a sort there are now.
func (p *problems) count(f Fate) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts[f]
}

// marks returns what has a problem.
func (p *problems) marks() []mark {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Keys(p.by))
}

// flush writes the lines of the rejects file for good.
func (p *problems) flush() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil && p.added {
		p.err = p.rejects.Flush()
		p.added = false
	}
	return p.err
}

// mostAgain is how often it is looked again whether a user's API key is still another's in the target.
const mostAgain = 3

// worthAgain reports whether a user's API key may be free soon.
func (p *problems) worthAgain(kind record.Kind, user record.UserID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := mark{kind: kind, user: user}
	p.again[k]++
	return p.again[k] <= mostAgain
}

// settled tells that a user's document is as it should be.
func (p *problems) settled(kind record.Kind, user record.UserID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.again, mark{kind: kind, user: user})
}
