package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/golden"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/migrate"
)

func TestPlainProgress(t *testing.T) {
	var out bytes.Buffer
	began := time.Unix(1000, 0)
	v := ui.NewPlainView(&out, began, ui.Progress{Done: 50000})
	copying := func(keys, total, records, rejects int64) ui.Progress {
		return migrationProgress(migrate.Snapshot{Phase: "copying", Keys: keys, Total: total, Records: records, Rejects: rejects})
	}
	v.Show(began, copying(50000, 1250000, 0, 0))
	v.Show(began.Add(10*time.Second), copying(250000, 1250000, 240000, 1))
	v.Show(began.Add(60*time.Second), copying(1250010, 1250000, 1200000, 1234))
	v.End(began.Add(80*time.Second), copying(1250010, 1250000, 1200000, 1234), true)
	v.End(began.Add(80*time.Second), copying(7, 0, 0, 0), false)
	golden.Compare(t, "progress-plain.txt", out.String())
}
