package migrate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// SupersededPath returns the path of the superseded file that belongs to a rejects file.
func SupersededPath(rejects string) string {
	return strings.TrimSuffix(rejects, ".ndjson") + ".superseded.ndjson"
}

// ndjsonFile is an append-only NDJSON file of mode 0600 that is made when the first line is written.
type ndjsonFile struct {
	path string

	// resumed tells that a run which was killed may have left half a line at the file's end.
	resumed bool

	mu   sync.Mutex
	buf  bytes.Buffer
	file *os.File
	any  bool // a line was added, now or by the run that is resumed

	failed error // of the first write that failed, after which nothing is written any more
}

// flushAt bounds the lines that wait in memory, in bytes.
const flushAt = 1 << 20

// add adds v's JSON as a line. The line is in the file for sure after the next flush.
func (f *ndjsonFile) add(v any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	enc := json.NewEncoder(&f.buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode a line of %s: %w", f.path, err)
	}
	f.any = true
	if f.buf.Len() >= flushAt {
		return f.write()
	}
	return nil
}

// flush writes the waiting lines and waits until the disk has them.
func (f *ndjsonFile) flush() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil && f.buf.Len() == 0 {
		return nil
	}
	if err := f.write(); err != nil {
		return err
	}
	f.failed = f.file.Sync()
	return f.failed
}

// write writes the waiting lines. Its errors name the file, as those of package os do.
func (f *ndjsonFile) write() error {
	if f.failed == nil {
		f.failed = f.tryWrite()
	}
	return f.failed
}

func (f *ndjsonFile) tryWrite() error {
	if f.file == nil {
		file, err := os.OpenFile(f.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return fmt.Errorf("open the rejects file: %w", err)
		}
		f.file = file
		if f.resumed {
			if err := cutHalfLine(file); err != nil {
				return fmt.Errorf("go on with the rejects file: %w", err)
			}
		}
		// A file that was there before keeps its mode otherwise.
		if err := file.Chmod(0o600); err != nil {
			return fmt.Errorf("make the rejects file readable by its owner alone: %w", err)
		}
	}
	if _, err := f.file.Write(f.buf.Bytes()); err != nil {
		return err
	}
	f.buf.Reset()
	return nil
}

// cutHalfLine removes what stands behind the file's last newline. Nothing is lost: a checkpoint is only saved behind whole
// lines, so the half one is written again.
func cutHalfLine(file *os.File) error {
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	tail := make([]byte, 64<<10)
	for whole := end; whole > 0; {
		n := min(int64(len(tail)), whole)
		if _, err := file.ReadAt(tail[:n], whole-n); err != nil {
			return err
		}
		if i := bytes.LastIndexByte(tail[:n], '\n'); i >= 0 {
			return file.Truncate(whole - n + int64(i) + 1)
		}
		whole -= n
	}
	return file.Truncate(0)
}

// used returns the path, or nothing where no line was added.
func (f *ndjsonFile) used() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.any {
		return ""
	}
	return f.path
}

func (f *ndjsonFile) close() error {
	err := f.flush()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file != nil {
		err = errors.Join(err, f.file.Close())
		f.file = nil
	}
	return err
}
