package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/rdb"
)

func openRDB(ctx context.Context, p redisPlace, request layout.Request) (*redisSource, error) {
	at, err := parseRDB(p.place)
	if err != nil {
		return nil, err
	}
	file, err := rdb.Open(ctx, rdb.Options{Path: at.path, DB: at.db})
	if err != nil {
		return nil, explainRDB(err, p.place)
	}
	// A source keeps what it has learnt of the file for its next reading.
	reading := file.Source(rdb.SourceOptions{Request: request})
	info := file.Info()
	return &redisSource{
		facts: describeRDB(info), db: info.DB, otherDB: "rdb:FILE?db=N", warnings: rdbWarnings(info), expires: info.Expires,
		reading: func() record.Source { return reading },
		remarks: func() []string { return nil }, // a file does not move
		close:   file.Close,
	}, nil
}

func explainRDB(err error, p place) error {
	const serve = "start a redis-server that can load it (redis-server --port 6400 --dir FOLDER --dbfilename FILE) and name that server with --redis"
	const again = "copy the file again and compare the sizes, or take another dump (redis-cli --rdb FILE); redis-check-rdb FILE looks closer"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return exit.Failure(err, "is the path in "+p.From+" right? Redis answers CONFIG GET dir and CONFIG GET dbfilename")
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
