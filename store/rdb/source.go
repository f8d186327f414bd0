package rdb

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// SourceOptions says what to read and how.
type SourceOptions struct {
	layout.Request

	PageSize int // keys and items of a page at most; zero means 1000
}

// DefaultPageSize is the default of [SourceOptions].
const DefaultPageSize = 1000

// Source returns the file as a source of records. It may be read any number of times, one after the other; all but the
// first reading are faster.
func (f *File) Source(o SourceOptions) record.Source {
	return &source{file: f, wanted: layout.NewWanted(o.Request), pageSize: cmp.Or(max(o.PageSize, 0), DefaultPageSize)}
}

// source is a file with what is to be read of it.
type source struct {
	file     *File
	wanted   layout.Wanted
	pageSize int
	index    *index // of the last reading; nil before the first
}

// Parts returns the file as the only part.
func (s *source) Parts(context.Context) ([]record.Part, error) { return []record.Part{part{s}}, nil }

// Deferred delivers nothing: the part has delivered everything.
func (s *source) Deferred(context.Context, func(record.Page) error) error { return nil }

// Total returns the number of keys in the database, those that have expired among them.
func (s *source) Total(context.Context) (int64, error) { return s.file.info.Keys, nil }

// Identity names the content and the database.
func (s *source) Identity() string {
	return fmt.Sprintf("rdb size=%d crc64=%016x db%d", s.file.info.Size, s.file.sum, s.file.info.DB)
}

type part struct{ *source }

// Name returns the file's name without its folder.
func (p part) Name() string { return filepath.Base(p.file.path) }

// Read reads the file from a position to its end.
func (p part) Read(ctx context.Context, from string, yield func(record.Page) error) error {
	start := position{offset: int64(headerSize), at: p.wanted.Now.UnixMilli()}
	if from != "" {
		var err error
		if start, err = parsePosition(from, p.file.end); err != nil {
			return p.file.failed(err)
		}
	}
	index, err := p.indexAt(ctx, start.at)
	if err != nil {
		return err
	}
	r := &reading{
		source:  p.source,
		ctx:     ctx,
		w:       p.file.walk(ctx),
		v:       newValues(ctx, p.file),
		index:   index,
		pending: make(map[group][]sibling),
		out:     pager{ctx: ctx, yield: yield, pageSize: p.pageSize, before: from},
	}
	r.out.page.Next = from
	return r.run(start.offset)
}

// walk returns a walker that stands before the first key.
func (f *File) walk(ctx context.Context) *walker {
	return newWalker(f.from(ctx, int64(headerSize)), readBuffer, int64(headerSize), f.end)
}
