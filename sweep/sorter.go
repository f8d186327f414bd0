package sweep

import (
	"bufio"
	"bytes"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

const (
	// fanIn is how many sorted runs are read at a time.
	fanIn = 64

	// runBuffer is the buffer of each, and of the one that is written.
	runBuffer = 64 << 10

	// indexBytes is what an entry takes beside its bytes.
	indexBytes = 4
)

// sorter sorts any number of byte strings in bounded memory: what does not fit goes to a temporary file as sorted runs,
// which are merged.
type sorter struct {
	dir    string
	memory int

	arena []byte // of strings, each with its length before it
	index []uint32

	count int64 // of all strings

	file *os.File // nil while everything fits
	size int64
	runs []run
}

// run is a sorted part of the file.
type run struct{ from, to int64 }

func newSorter(dir string, memory int) *sorter { return &sorter{dir: dir, memory: memory} }

// add takes over a copy of b.
func (s *sorter) add(b []byte) error {
	need := binary.MaxVarintLen32 + len(b)
	if len(s.index) > 0 && len(s.arena)+need+indexBytes*(len(s.index)+1) > s.memory {
		if err := s.spill(); err != nil {
			return err
		}
	}
	if need > cap(s.arena)-len(s.arena) {
		// No more than what may be taken, which append would not know of.
		s.arena = append(make([]byte, 0, max(min(2*cap(s.arena), s.memory), len(s.arena)+need)), s.arena...)
	}
	s.count++
	s.index = append(s.index, uint32(len(s.arena)))
	s.arena = binary.AppendUvarint(s.arena, uint64(len(b)))
	s.arena = append(s.arena, b...)
	return nil
}

// at returns the string at a position of the arena.
func (s *sorter) at(i uint32) []byte {
	length, n := binary.Uvarint(s.arena[i:])
	from := int(i) + n
	return s.arena[from : from+int(length)]
}

func (s *sorter) sortArena() {
	slices.SortFunc(s.index, func(a, b uint32) int { return bytes.Compare(s.at(a), s.at(b)) })
}

// spill writes what is in memory to the file as a run.
func (s *sorter) spill() error {
	s.sortArena()
	err := s.writeRun(func(write func([]byte) error) error {
		for _, i := range s.index {
			if err := write(s.at(i)); err != nil {
				return err
			}
		}
		return nil
	})
	s.arena, s.index = s.arena[:0], s.index[:0]
	return err
}

// writeRun appends a run of what fill writes to the file.
func (s *sorter) writeRun(fill func(write func([]byte) error) error) error {
	if s.file == nil {
		file, err := os.CreateTemp(s.dir, "lanyardctl-sweep-*")
		if err != nil {
			return fmt.Errorf("%w: %w", ErrTempFile, err)
		}
		s.file = file
		// Where the system lets a file be removed while it is open, nothing is left of it however the process ends.
		_ = os.Remove(file.Name())
	}
	w := bufio.NewWriterSize(io.NewOffsetWriter(s.file, s.size), runBuffer)
	written := run{from: s.size}
	var head [binary.MaxVarintLen64]byte
	err := fill(func(b []byte) error {
		n := binary.PutUvarint(head[:], uint64(len(b)))
		s.size += int64(n + len(b))
		if _, err := w.Write(head[:n]); err != nil {
			return err
		}
		_, err := w.Write(b)
		return err
	})
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTempFile, err)
	}
	written.to = s.size
	s.runs = append(s.runs, written)
	return nil
}

// sorted yields all strings in ascending order, each good until the next. It returns yield's error as it is. Nothing can
// be added then.
func (s *sorter) sorted(yield func([]byte) error) error {
	for len(s.runs) > fanIn {
		first := slices.Clone(s.runs[:fanIn])
		s.runs = slices.Delete(s.runs, 0, fanIn)
		err := s.writeRun(func(write func([]byte) error) error { return s.merge(first, false, write) })
		if err != nil {
			return err
		}
	}
	s.sortArena()
	return s.merge(s.runs, true, yield)
}

// merge yields the strings of the runs, and those in memory where asked to, in ascending order.
func (s *sorter) merge(runs []run, memory bool, yield func([]byte) error) error {
	var h cursors
	for _, r := range runs {
		c := &cursor{r: bufio.NewReaderSize(io.NewSectionReader(s.file, r.from, r.to-r.from), runBuffer)}
		more, err := c.next()
		if err != nil {
			return err
		}
		if more {
			h = append(h, c)
		}
	}
	if memory && len(s.index) > 0 {
		c := &cursor{sorter: s}
		// Memory cannot fail.
		_, _ = c.next()
		h = append(h, c)
	}
	heap.Init(&h)
	for len(h) > 0 {
		if err := yield(h[0].b); err != nil {
			return err
		}
		more, err := h[0].next()
		switch {
		case err != nil:
			return err
		case more:
			heap.Fix(&h, 0)
		default:
			heap.Pop(&h)
		}
	}
	return nil
}

// close removes the file.
func (s *sorter) close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	if removed := os.Remove(s.file.Name()); removed != nil && !errors.Is(removed, os.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	return err
}

// cursor reads a run, or what is in memory.
type cursor struct {
	r      *bufio.Reader
	sorter *sorter
	at     int
	b      []byte
}

// next moves on, and reports whether there is another string.
func (c *cursor) next() (bool, error) {
	if c.sorter != nil {
		if c.at == len(c.sorter.index) {
			return false, nil
		}
		c.b = c.sorter.at(c.sorter.index[c.at])
		c.at++
		return true, nil
	}
	length, err := binary.ReadUvarint(c.r)
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err == nil {
		c.b = slices.Grow(c.b[:0], int(length))[:length]
		_, err = io.ReadFull(c.r, c.b)
	}
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrTempFile, err)
	}
	return true, nil
}

// cursors is a heap of them.
type cursors []*cursor

func (h cursors) Len() int           { return len(h) }
func (h cursors) Less(i, j int) bool { return bytes.Compare(h[i].b, h[j].b) < 0 }
func (h cursors) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *cursors) Push(x any)        { *h = append(*h, x.(*cursor)) }

// Pop implements [heap.Interface].
func (h *cursors) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
