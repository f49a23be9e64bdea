package controllers

import (
	"container/list"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// line is the order in which credentials are looked at: those whose turn at the gate has come, and
// then the others as they came. A turn lapses when nobody comes for it: behind a thousand
// credentials that are deleted at once it would come to nothing, and the next one as well. There
// are no more turns than workers, so that the others are not kept waiting.
type line struct {
	hasTurn       func(types.NamespacedName) bool
	turns, others *list.List
	// waiting are the elements of the others.
	waiting map[reconcile.Request]*list.Element
}

func newLine(hasTurn func(types.NamespacedName) bool) *line {
	return &line{hasTurn: hasTurn, turns: list.New(), others: list.New(), waiting: map[reconcile.Request]*list.Element{}}
}

// Push implements workqueue.Queue.
func (l *line) Push(item reconcile.Request) {
	if l.hasTurn(item.NamespacedName) {
		l.turns.PushBack(item)
	} else {
		l.waiting[item] = l.others.PushBack(item)
	}
}

// Touch implements workqueue.Queue: it is told of whoever stands in line already.
func (l *line) Touch(item reconcile.Request) {
	if element := l.waiting[item]; element != nil && l.hasTurn(item.NamespacedName) {
		l.others.Remove(element)
		delete(l.waiting, item)
		l.turns.PushBack(item)
	}
}

// Len implements workqueue.Queue.
func (l *line) Len() int { return l.turns.Len() + l.others.Len() }

// Pop implements workqueue.Queue. It is asked only while there is somebody.
func (l *line) Pop() reconcile.Request {
	if first := l.turns.Front(); first != nil {
		return l.turns.Remove(first).(reconcile.Request)
	}
	item := l.others.Remove(l.others.Front()).(reconcile.Request)
	delete(l.waiting, item)
	return item
}
