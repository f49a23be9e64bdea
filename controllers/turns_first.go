package controllers

import (
	"container/list"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// turnsFirst is the order in which credentials are looked at: those whose turn at the gate has
// come, and then the others as they came. A turn lapses when nobody comes for it: behind a thousand
// credentials that are deleted at once it would come to nothing, and the next one as well. There
// are no more turns than workers, so that the others are not kept waiting.
type turnsFirst struct {
	hasTurn       func(types.NamespacedName) bool
	turns, others *list.List
	// waiting are the elements of the others.
	waiting map[reconcile.Request]*list.Element
}

func newTurnsFirst(hasTurn func(types.NamespacedName) bool) *turnsFirst {
	return &turnsFirst{hasTurn: hasTurn, turns: list.New(), others: list.New(), waiting: map[reconcile.Request]*list.Element{}}
}

// Push implements workqueue.Queue.
func (t *turnsFirst) Push(item reconcile.Request) {
	if t.hasTurn(item.NamespacedName) {
		t.turns.PushBack(item)
	} else {
		t.waiting[item] = t.others.PushBack(item)
	}
}

// Touch implements workqueue.Queue: it is told of whoever stands in line already.
func (t *turnsFirst) Touch(item reconcile.Request) {
	if element := t.waiting[item]; element != nil && t.hasTurn(item.NamespacedName) {
		t.others.Remove(element)
		delete(t.waiting, item)
		t.turns.PushBack(item)
	}
}

// Len implements workqueue.Queue.
func (t *turnsFirst) Len() int { return t.turns.Len() + t.others.Len() }

// Pop implements workqueue.Queue. It is asked only while there is somebody.
func (t *turnsFirst) Pop() reconcile.Request {
	if first := t.turns.Front(); first != nil {
		return t.turns.Remove(first).(reconcile.Request)
	}
	item := t.others.Remove(t.others.Front()).(reconcile.Request)
	delete(t.waiting, item)
	return item
}
