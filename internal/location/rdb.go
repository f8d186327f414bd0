package location

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/rdb"
)

const rdbForm = "rdb:FILE"

var rdbScheme = SourceScheme{
	Scheme: Scheme{
		Schemes: []string{"rdb"}, Forms: []string{rdbForm}, Local: true,
		Check: func(at Location) error {
			place, err := parseRDB(at)
			if err != nil {
				return err
			}
			return checkPath(at, place.path)
		},
		Awaited: func(at Location) string {
			place, _ := parseRDB(at) // it was checked
			return "checking the RDB file " + place.path
		},
	},
	Still:   true,
	Open:    openRDB,
	Explain: explainRDB,
}

// rdbPlace is what an "rdb:PATH[?db=N]" URI names.
type rdbPlace struct {
	path string
	db   int
}

const rdbHint = "such as rdb:./dump.rdb or rdb:/var/lib/redis/dump.rdb?db=1"

// parseRDB reads the URI of an RDB file. A path may hold any character but a question mark.
func parseRDB(p Location) (rdbPlace, error) {
	path, query, given := strings.Cut(strings.TrimPrefix(p.URI[len("rdb:"):], "//"), "?")
	at := rdbPlace{path: path}
	if path == "" {
		return at, exit.WrongUse(p.From+": rdb: names no file", rdbHint)
	}
	if !given {
		return at, nil
	}
	number, isDB := strings.CutPrefix(query, "db=")
	if !isDB {
		return at, exit.WrongUse(fmt.Sprintf("%s: what follows the question mark is %q, and not db=N", p.From, query),
			"rename the file where its name holds a question mark; "+rdbHint)
	}
	db, err := strconv.ParseUint(number, 10, 31)
	if err != nil {
		return at, exit.WrongUse(fmt.Sprintf("%s: %q is no number of a database", p.From, number), rdbHint)
	}
	at.db = int(db)
	return at, nil
}

// rdbSource is an open RDB file.
type rdbSource struct {
	*rdb.File
	reading record.Source // keeps what it has learnt of the file for the next time
}

func openRDB(ctx context.Context, o SourceOptions) (Source, error) {
	at, err := parseRDB(o.Location)
	if err != nil {
		return nil, err
	}
	file, err := rdb.Open(ctx, rdb.Options{Path: at.path, DB: at.db})
	if err != nil {
		return nil, explainRDB(err, o)
	}
	return rdbSource{file, file.Source(rdb.SourceOptions{Request: o.Request})}, nil
}

// Facts implements [Source].
func (s rdbSource) Facts() SourceFacts {
	info := s.Info()
	return SourceFacts{
		Is: describeRDB(info), Warnings: rdbWarnings(info),
		Where: fmt.Sprintf("db %d", info.DB), Others: "rdb:FILE?db=N names database N", Expires: info.Expires,
	}
}

// Reading implements [Source].
func (s rdbSource) Reading() record.Source { return s.reading }

// Remarks implements [Source]. A file does not move.
func (rdbSource) Remarks() []string { return nil }

// explainRDB gives an error of an RDB file its exit code and the next step.
func explainRDB(err error, at SourceOptions) error {
	const serve = "start a redis-server that can load it (redis-server --port 6400 --dir FOLDER --dbfilename FILE) and name that server with --redis"
	const again = "copy the file again and compare the sizes, or take another dump (redis-cli --rdb FILE); redis-check-rdb FILE looks closer"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return exit.Failure(err, "is the path in "+at.From+" right? Redis answers CONFIG GET dir and CONFIG GET dbfilename")
	case errors.Is(err, fs.ErrPermission):
		return exit.Failure(err, "copy the file to where you can read it, or take a dump of your own (redis-cli --rdb FILE)")
	case errors.Is(err, rdb.ErrTooNew), errors.Is(err, rdb.ErrUnsupported):
		return exit.Failure(err, serve)
	case errors.Is(err, rdb.ErrTruncated), errors.Is(err, rdb.ErrCorrupt):
		return exit.Failure(err, again)
	case errors.Is(err, rdb.ErrAppendOnly):
		return exit.Failure(err, "take a dump (redis-cli --rdb FILE, or SAVE and then the file that CONFIG GET dbfilename names)")
	case errors.Is(err, rdb.ErrNotRDB):
		return exit.Failure(err, "name the file that Redis saves (dump.rdb); an append-only file or an archive is none")
	}
	return err
}

// describeRDB says what the file is: "RDB file of Redis 7.0.15, saved 2026-11-21 02:00 UTC, 216 KB, db 0".
func describeRDB(i rdb.Info) string {
	of := "RDB file"
	if i.RedisVersion != "" {
		of += " of Redis " + i.RedisVersion
	}
	parts := []string{of}
	if !i.SavedAt.IsZero() {
		parts = append(parts, "saved "+i.SavedAt.UTC().Format("2006-01-02 15:04 MST"))
	}
	return strings.Join(append(parts, ui.Bytes(i.Size), fmt.Sprintf("db %d", i.DB)), ", ")
}

// rdbWarnings says what a person should know of the file.
func rdbWarnings(i rdb.Info) []string {
	var list []string
	if !i.Checksum {
		list = append(list, "the RDB file carries no checksum, so damage to it may go unnoticed (rdbchecksum yes in Redis's configuration writes one)")
	}
	if i.Functions > 0 {
		list = append(list, ui.Plural(int64(i.Functions), "library")+" of Redis functions in the RDB file left alone: none is Lanyard's")
	}
	return list
}
