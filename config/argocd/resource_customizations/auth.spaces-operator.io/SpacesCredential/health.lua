-- How Argo CD shows a SpacesCredential.
--
--   Healthy      Ready, also while renewals fail: the published token works, and the message tells of the trouble.
--   Degraded     Stalled: nothing gets better until a person acts, though the last token may still work.
--   Progressing  the operator is at work on this version of the spec, or revokes grants before the object goes,
--                or the token has expired and it still tries to get another.
--   Suspended    nothing is wrong, and a person is expected: spec.suspend is true, or nobody has signed in with a
--                browser yet. That can take days. Progressing would look like a rollout that does not end, and
--                Degraded like a fault. A sync without waves waits for neither; one with waves goes on after
--                Healthy alone, so what needs a sign-in belongs in the last wave.
local function health(status, message)
  return { status = status, message = message }
end

local conditions = {}
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    conditions[condition.type] = condition
  end
end
local ready = conditions["Ready"]
local reconciling = conditions["Reconciling"]
local stalled = conditions["Stalled"]

local function isTrue(condition)
  return condition ~= nil and condition.status == "True"
end

-- What the conditions say of an earlier spec says nothing of this one.
if ready == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "The operator has not looked at this version of the spec yet.")
end
if isTrue(stalled) then
  return health("Degraded", stalled.message)
end
if ready.reason == "Suspended" then
  return health("Suspended", ready.message)
end
if isTrue(ready) then
  return health("Healthy", ready.message)
end
-- After an edit the token of the earlier spec stays published until somebody signs in; Ready says so.
if ready.reason == "AuthorizationPending" then
  return health("Suspended", ready.message)
end
-- Before the first token, past the expiry of the last, and while grants are revoked before the object goes. (Argo CD
-- itself shows what is being deleted as Progressing and does not ask.)
return health("Progressing", ready.message)
