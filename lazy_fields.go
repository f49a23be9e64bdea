package main

import (
	"slices"

	"go.uber.org/zap/zapcore"
)

// lazyFields is a core of the log that encodes the fields of a logger when a line is written with
// them. A pass gets a logger with the names of its object and hardly ever writes a line: to encode
// them for each pass is a twentieth of all that the operator allocates. zap.Logger.WithLazy does it
// for one set of fields, a logger of controller-runtime gets them in three.
type lazyFields struct {
	zapcore.Core
	fields []zapcore.Field
}

// withLazyFields is for zap.WrapCore.
func withLazyFields(core zapcore.Core) zapcore.Core { return lazyFields{Core: core} }

// With implements [zapcore.Core].
func (l lazyFields) With(fields []zapcore.Field) zapcore.Core {
	return lazyFields{Core: l.Core, fields: slices.Concat(l.fields, fields)}
}

// Check implements [zapcore.Core]. A line is written by the core that has its fields.
func (l lazyFields) Check(line zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if !l.Enabled(line.Level) {
		return checked
	}
	return l.Core.With(l.fields).Check(line, checked)
}
