package mongo

// A page ends with whichever of the two comes first.
const (
	pageLength = 1000
	pageBytes  = 4 << 20 // of BSON
)

// pages gathers what is made of single documents to pages. Each is a slice of its own.
type pages[T any] struct {
	yield   func([]T) error
	page    []T
	size    int
	stopped error // by yield, which is returned as it is
}

// add adds what was made of a document of size bytes.
func (p *pages[T]) add(v T, size int) error {
	p.page = append(p.page, v)
	if p.size += size; len(p.page) < pageLength && p.size < pageBytes {
		return nil
	}
	return p.flush()
}

// flush delivers what is left.
func (p *pages[T]) flush() error {
	if len(p.page) == 0 {
		return nil
	}
	page := p.page
	p.page, p.size = make([]T, 0, len(page)), 0
	p.stopped = p.yield(page)
	return p.stopped
}
