package record

// Mirror decides what becomes of r in a target that mirrors its source. A document that is still exactly what lanyardctl
// last wrote becomes what the source says, also where that is the worse of two times, unless r is doubtful. One that says exactly what r says,
// and is not marked as lanyardctl's, gets the mark. Of all others, and of the counters, Mirror decides as [Merge] does; where a
// document then says exactly what r says, it gets the mark, too.
//
// Mirroring is idempotent, as merging is, and whatever gives way is among the decision's Superseded values. Of those that
// lanyardctl itself wrote they tell so, but for the better of two times: a source that lost its data makes worse ones anew,
// and the target may be the last to know the better.
func Mirror(r Record, existing Existing, bounds Bounds, policy Policy) Decision {
	d := mirror(r, existing, bounds, policy)
	if existing.Unmodified && !worsens(r, existing) {
		for i := range d.Superseded {
			d.Superseded[i].Mirrored = true
		}
	}
	return d
}

// worsens reports whether the record has a worse time than the document.
func worsens(r Record, existing Existing) bool {
	t, ok := r.Kind.rules().(*timeKind)
	if !ok {
		return false
	}
	stands, ok := existing.Times[t.fields[0]].(int64)
	return ok && stands != r.Time && (stands < r.Time) == t.earliest
}

func mirror(r Record, existing Existing, bounds Bounds, policy Policy) Decision {
	if t, ok := r.Kind.rules().(*timeKind); ok && existing.Unmodified {
		if r.Doubtful && worsens(r, existing) {
			return Decision{}
		}
		return t.follow(merging{r: r, held: existing.Held})
	}
	d := Merge(r, existing, bounds, policy)
	if existing.Unmodified || d.Mark != "" || !d.leavesExactly(r, existing) {
		return d
	}
	d.Mark = r.Digest().String()
	if !d.Write {
		d.Status, d.Write, d.Adopts = Updated, true, true
	}
	return d
}

// follow makes the record's time that of a document of lanyardctl's own.
func (t *timeKind) follow(m merging) Decision {
	field := t.fields[0]
	stands := m.held.Times[field]
	if stands == any(m.r.Time) {
		return m.d
	}
	m.targetGaveWay(field, stands)
	m.d.Status, m.d.Write, m.d.Time, m.d.Mark = Updated, true, m.r.Time, m.r.Digest().String()
	return m.d
}

// leavesExactly reports whether a document, new or of somebody else's, says exactly what r says, and nothing else, once
// the decision of [Merge] is carried out.
func (d Decision) leavesExactly(r Record, was Existing) bool {
	if !r.Kind.Identified() || len(d.Rejects)+d.Kept > 0 || !d.Write && !was.Found {
		return false
	}
	switch r.Kind.Shape() {
	case TextShape:
		return was.APIKey == r.APIKey
	case TimeShape:
		field := TimeField(r.Kind)
		for name := range was.Times {
			if name != field {
				return false
			}
		}
		return d.Write && d.Time == r.Time || !d.Write && was.Times[field] == any(r.Time)
	case FieldsShape:
	}
	for name := range was.Fields {
		if _, exists := r.Fields[name]; !exists {
			return false
		}
	}
	return d.Write || was.Malformed == nil
}

// UnmodifiedTime is [Unmodified] of a document of a kind that keeps a time. One that has another of the kind's
// [TimeFields] is not lanyardctl's alone.
func UnmodifiedTime(kind Kind, user UserID, times map[string]any, mark string) bool {
	t, ok := times[TimeField(kind)].(int64)
	return ok && len(times) == 1 && Unmodified(Record{Kind: kind, User: user, Time: t}, mark)
}
