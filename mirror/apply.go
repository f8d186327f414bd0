package mirror

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lanyardctl/lanyardctl/internal/lease"
	"github.com/lanyardctl/lanyardctl/record"
)

// applying is the work on a batch of marks: what the source holds of them is read, and the target made equal to it.
type applying struct {
	*Job
	session *Session
	sink    Sink
	batch   batch
	begun   time.Time

	mu    sync.Mutex
	fates map[mark]Fate
	again []mark // that have to be looked at once more
}

// apply makes the target equal to the source in what is marked. It may be called again with the same batch.
func (j *Job) apply(ctx context.Context, s *Session, sink Sink, b batch) (map[mark]Fate, error) {
	a := &applying{Job: j, session: s, sink: sink, batch: b, begun: time.Now(), fates: make(map[mark]Fate, len(b))}
	users, apiKeys := [record.KindCount][]record.UserID{}, make(map[record.UserID][]string)
	var kinds record.Kinds
	var keys []string
	for k := range b {
		kinds = kinds.With(k.kind)
		switch {
		case k.apiKey != "":
			keys = append(keys, k.apiKey)
		case k.user != 0:
			users[k.kind] = append(users[k.kind], k.user)
		}
	}
	if err := a.whose(ctx, keys, apiKeys); err != nil {
		return nil, err
	}
	for user := range apiKeys {
		users[record.APIKeys] = append(users[record.APIKeys], user)
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, kind := range kinds.List() {
		group.Go(func() error {
			if !kind.Identified() {
				return a.nobodys(ctx, kind)
			}
			slices.Sort(users[kind])
			return a.users(ctx, kind, slices.Compact(users[kind]), apiKeys)
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	j.marks.put(false, a.again...)
	return a.fates, nil
}

// whose finds the users of API keys, on both sides, and enters the keys as theirs.
func (a *applying) whose(ctx context.Context, keys []string, of map[record.UserID][]string) error {
	if len(keys) == 0 {
		return nil
	}
	for _, side := range []record.APIKeyOwners{a.session.Owners, a.opts.Target} {
		owners, err := side.APIKeyOwners(ctx, keys)
		if err != nil {
			return err
		}
		for key, user := range owners {
			if user != 0 && !slices.Contains(of[user], key) {
				of[user] = append(of[user], key)
			}
		}
	}
	return nil
}

// standing is what both sides hold of a user.
type standing struct {
	found   bool            // the source holds something
	rejects []record.Reject // of it
	apiKeys []string        // of the source, that authenticate though they are rejected
	omitted *record.Omitted // fields of a record of which nothing can be written
	merged  bool            // a record was handed to the target, or is about to be

	documents []record.Document // of the target, where users let in; else none
}

// users makes the target equal in what it holds of users of one kind. Of what users keep, which may be large, some is held
// at a time; see [mostBytes].
func (a *applying) users(ctx context.Context, kind record.Kind, users []record.UserID, apiKeys map[record.UserID][]string) error {
	all := make(map[record.UserID]*standing, len(users))
	for _, user := range users {
		all[user] = &standing{}
	}
	if !kind.Admits() {
		apiKeys = nil // another kind's, which adds to them at the same time
	} else if err := a.candidates(ctx, kind, users, apiKeys, all); err != nil {
		return err
	}
	m := merging{applying: a, kind: kind, all: all}
	if err := m.read(ctx, users, apiKeys); err != nil {
		return err
	}
	if err := m.remove(ctx); err != nil { // first, since a key may pass from one user to another
		return err
	}
	if err := m.free(ctx); err != nil {
		return err
	}
	return m.write(ctx)
}

// candidates reads what the target has of the users, and adds the keys to those that are looked at, and what the last
// comparison found: one may authenticate without being the user's current one.
func (a *applying) candidates(
	ctx context.Context, kind record.Kind, users []record.UserID, apiKeys map[record.UserID][]string, all map[record.UserID]*standing,
) error {
	a.Job.mu.Lock()
	claims := a.claims
	a.Job.mu.Unlock()
	add := func(user record.UserID, key string) {
		if key != "" && !slices.Contains(apiKeys[user], key) {
			apiKeys[user] = append(apiKeys[user], key)
		}
	}
	for _, user := range users {
		for _, key := range claims[user] {
			add(user, key)
		}
	}
	return a.opts.Target.ReadUsers(ctx, kind, users, func(documents []record.Document) error {
		for _, d := range documents {
			s := all[d.User]
			if s == nil {
				continue
			}
			s.documents = append(s.documents, d)
			add(d.User, d.Held.APIKey)
		}
		return nil
	})
}

// mostBytes is about how many bytes of records are held, in BSON, before they are written.
const mostBytes = 8 << 20

// merging is the work on one kind.
type merging struct {
	*applying
	kind    record.Kind
	all     map[record.UserID]*standing
	records []record.Record // that wait to be written
	bytes   int

	freed map[record.UserID]bool // users whose documents made room for API keys that passed to others
}

// read reads what the source holds. What is much is written at once.
func (m *merging) read(ctx context.Context, users []record.UserID, apiKeys map[record.UserID][]string) error {
	limits := m.sink.Limits()
	return m.session.Points(apiKeys).ReadUsers(ctx, record.Kinds(0).With(m.kind), users, func(p record.Page) error {
		for _, it := range p.Items {
			s := m.all[it.User()]
			if s == nil || it.Kind != m.kind {
				continue
			}
			it = limits.Apply(it)
			s.found = true
			s.rejects = append(s.rejects, it.Rejects...)
			if it.APIKey != "" {
				s.apiKeys = append(s.apiKeys, it.APIKey)
			}
			if it.Record == nil {
				s.omitted = it.Omitted()
				continue
			}
			s.merged = true
			m.records = append(m.records, *it.Record)
			m.bytes += it.Record.DocumentSize()
		}
		if m.bytes >= mostBytes {
			return m.write(ctx)
		}
		return nil
	})
}

// remove deletes the documents of users of whom the source holds nothing any more, where they are the mirror's own.
func (m *merging) remove(ctx context.Context) error {
	var without []record.UserID
	for user, s := range m.all {
		if !s.merged {
			without = append(without, user)
		}
	}
	if len(without) == 0 {
		return nil
	}
	slices.Sort(without)
	decided := make(map[record.UserID]bool, len(without))
	var err error
	if m.kind.Admits() {
		var documents []record.Document
		for _, user := range without {
			documents = append(documents, m.all[user].documents...)
		}
		err = m.removeSome(ctx, documents, decided)
	} else {
		err = m.opts.Target.ReadUsers(ctx, m.kind, without, func(documents []record.Document) error {
			return m.removeSome(ctx, documents, decided)
		})
	}
	if err != nil {
		return err
	}
	for _, user := range without {
		switch s := m.all[user]; {
		case decided[user]:
		case s.found:
			m.fate(m.kind, user, Rejected, s.rejects)
		default:
			m.fate(m.kind, user, Absent, nil)
		}
	}
	return nil
}

// removeSome decides about documents of users without a record in the source.
func (m *merging) removeSome(ctx context.Context, documents []record.Document, decided map[record.UserID]bool) error {
	var gone []record.Document
	for _, d := range documents {
		s := m.all[d.User]
		switch {
		case s == nil || decided[d.User]: // the second one of a user is found by the next comparison
			continue
		case s.found && d.Held.Unmodified && m.kind.Shape() == record.FieldsShape:
			// Some pairs are there that cannot be written; others may be gone.
			m.records = append(m.records, record.Record{Kind: m.kind, User: d.User, Omitted: s.omitted})
		case s.found && (!m.kind.Admits() || slices.Contains(s.apiKeys, d.Held.APIKey)):
			m.fate(m.kind, d.User, Rejected, s.rejects)
		case d.Held.Unmodified:
			gone = append(gone, d)
		default:
			m.fate(m.kind, d.User, Kept, s.rejects)
		}
		decided[d.User] = true
	}
	if len(gone) == 0 {
		return nil
	}
	if !m.losses.allow(m.kind, int64(len(gone))) {
		for _, d := range gone {
			m.fate(m.kind, d.User, HeldBack, m.all[d.User].rejects)
		}
		return nil
	}
	if err := m.leads(ctx); err != nil {
		return err
	}
	for some := range slices.Chunk(gone, record.MaxSteps) {
		deletions, err := m.sink.Delete(ctx, some, m.keep)
		if err != nil {
			return err
		}
		for i, deletion := range deletions {
			user := some[i].User
			switch deletion {
			case record.DeletionDone:
				if !m.opts.Beside {
					m.losses.count(m.kind, -1)
				}
				m.fate(m.kind, user, Deleted, m.all[user].rejects)
			case record.DeletionAbsent:
				m.fate(m.kind, user, Absent, m.all[user].rejects)
			case record.DeletionModified:
				m.lookAgain(m.kind, user)
			}
		}
	}
	return nil
}

// free deletes documents of the mirror's own whose API keys the source gave to others among the records that wait, unless
// their users have nothing to be written. Where keys went round in a circle, no order of the writes alone would do.
func (m *merging) free(ctx context.Context) error {
	if !m.kind.Admits() {
		return nil
	}
	now := make(map[string]record.UserID, len(m.records))
	for _, r := range m.records {
		now[r.APIKey] = r.User
	}
	m.freed = make(map[record.UserID]bool)
	var passed []record.Document
	for _, r := range m.records {
		for _, d := range m.all[r.User].documents {
			if user := now[d.Held.APIKey]; user != 0 && user != r.User && d.Held.Unmodified && !m.freed[r.User] {
				m.freed[r.User] = true
				passed = append(passed, d)
			}
		}
	}
	keep := func(values []record.Superseded) error {
		for i := range values {
			values[i].Mirrored = true
		}
		return m.keep(values)
	}
	for some := range slices.Chunk(passed, record.MaxSteps) {
		deletions, err := m.sink.Delete(ctx, some, keep)
		if err != nil {
			return err
		}
		for _, deletion := range deletions {
			if deletion == record.DeletionDone && !m.opts.Beside {
				m.losses.count(m.kind, -1)
			}
		}
	}
	return nil
}

// write merges the records that wait.
func (m *merging) write(ctx context.Context) error {
	records := m.records
	m.records, m.bytes = nil, 0
	if len(records) == 0 {
		return nil
	}
	if err := m.leads(ctx); err != nil {
		return err
	}
	if m.losses.inDoubt(m.kind) {
		for i := range records {
			records[i].Doubtful = true
		}
	}
	outcomes, err := m.sink.Write(ctx, records, m.keep)
	if err != nil {
		return err
	}
	rejects := func(i int) []record.Reject {
		return append(slices.Clip(m.all[records[i].User].rejects), outcomes[i].Rejects...)
	}
	var passing []int
	var keys []string
	for i, o := range outcomes {
		r := records[i]
		if o.Status == record.Conflicted && m.kind.Admits() {
			passing, keys = append(passing, i), append(keys, r.APIKey)
			continue
		}
		if o.Status == record.Inserted && !m.opts.Beside {
			m.losses.count(m.kind, 1)
		}
		m.fate(m.kind, r.User, fateOf(o.Status), rejects(i))
		m.problems.settled(m.kind, r.User)
	}
	if len(passing) == 0 {
		return nil
	}
	// The source gave the key to another user, and the document of the one who had it may not have been looked at yet.
	owners, err := m.opts.Target.APIKeyOwners(ctx, keys)
	if err != nil {
		return err
	}
	for n, i := range passing {
		user := records[i].User
		if m.opts.Beside && m.freed[owners[keys[n]]] { // nothing was deleted
			m.fate(m.kind, user, Updated, rejects(i))
			continue
		}
		if owner := owners[keys[n]]; owner != 0 && owner != user && m.problems.worthAgain(m.kind, user) {
			m.lookAgain(m.kind, owner)
			m.lookAgain(m.kind, user)
			continue
		}
		m.fate(m.kind, user, Conflicted, rejects(i))
	}
	return nil
}

// nobodys merges what is no user's.
func (a *applying) nobodys(ctx context.Context, kind record.Kind) error {
	limits := a.sink.Limits()
	var records []record.Record
	var rejects []record.Reject
	err := a.session.Points(nil).ReadUsers(ctx, record.Kinds(0).With(kind), nil, func(p record.Page) error {
		for _, it := range p.Items {
			it = limits.Apply(it)
			rejects = append(rejects, it.Rejects...)
			if it.Record != nil {
				records = append(records, *it.Record)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(records) == 0 {
		fate := Kept // they only grow, so they are never deleted
		if len(rejects) > 0 {
			fate = Rejected
		}
		a.fate(kind, 0, fate, rejects)
		return nil
	}
	outcomes, err := a.sink.Write(ctx, records, a.keep)
	if err != nil {
		return err
	}
	a.fate(kind, 0, fateOf(outcomes[0].Status), append(rejects, outcomes[0].Rejects...))
	return nil
}

// leads fails where another process took the lease over and this one, which was suspended, does not know it yet: what it read
// before is old.
func (a *applying) leads(ctx context.Context) error {
	a.Job.mu.Lock()
	held := a.held
	a.Job.mu.Unlock()
	if held != nil && time.Since(a.begun) > lease.HeartbeatEvery && held.Lost(ctx) {
		return lease.ErrLost
	}
	return nil
}

func (a *applying) lookAgain(kind record.Kind, user record.UserID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.again = append(a.again, mark{kind: kind, user: user})
}

func (a *applying) fate(kind record.Kind, user record.UserID, f Fate, rejects []record.Reject) {
	k := mark{kind: kind, user: user}
	a.mu.Lock()
	a.fates[k] = f
	a.mu.Unlock()
	a.problems.enter(k, f, rejects)
}

// keep keeps values that give way, but for the mirror's own copies of what the source itself has replaced: the feed told of
// that. What a comparison finds may be a source that went back to an older state.
func (a *applying) keep(values []record.Superseded) error {
	kept := make([]record.Superseded, 0, len(values))
	for _, v := range values {
		if by, told := a.batch[mark{kind: v.Kind, user: v.User}]; !v.Mirrored || told && by.compared {
			kept = append(kept, v)
		}
	}
	if len(kept) == 0 || a.opts.Beside {
		return nil
	}
	return a.files.keep(kept)
}
