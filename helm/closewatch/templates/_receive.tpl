{{/*
The receiver of what Alertmanager sends. It opens the records as the worker does, on the same node where they are a file, but
in a pod of its own: NetworkPolicies, ServiceAccounts and volumes are a pod's, and who is talked to by others gets no way out
but to the records, no password but theirs and no backup; nor does a worker that ends its checks hold up notifications.
*/}}

{{/* Names of a part's Alertmanagers that send here, as a JSON list. Call with (list $ $part). */}}
{{- define "closewatch.senders" -}}
{{- $found := list -}}
{{- range $target := (index . 1).targets -}}
  {{- if and (eq (toString $target.kind) "alertmanager") (ne (toString $target.notifications) "false") -}}
    {{- $found = append $found (required "config.targets: a target of kind alertmanager has no name" $target.name) -}}
  {{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end }}

{{/* "true" where a part has the receiver. */}}
{{- define "closewatch.receiver" -}}
{{- $values := (index . 0).Values -}}
{{- $wanted := toString $values.receiver.enabled -}}
{{- $senders := include "closewatch.senders" . | fromJsonArray -}}
{{- if and (ne $wanted "false") (include "closewatch.recorded" .) (or $senders (eq $wanted "true")) -}}true{{- end -}}
{{- end }}

{{/* One for a release, so its address stays where concerns are split or joined. */}}
{{- define "closewatch.receiverName" -}}
{{- printf "%s-receive" (include "closewatch.fullname" .) -}}
{{- end }}

{{- define "closewatch.receiverAccount" -}}
{{- $account := .Values.serviceAccount -}}
{{- if $account.create -}}{{- include "closewatch.receiverName" . -}}{{- else -}}{{- default "default" $account.name -}}{{- end -}}
{{- end }}

{{/* Where an Alertmanager sends to. Call with (list $ "name of the target"). */}}
{{- define "closewatch.receiverUrl" -}}
{{- $root := index . 0 -}}
{{- printf "%s://%s.%s.svc:10188/notifications/%s" $root.Values.receiver.web.scheme (include "closewatch.receiverName" $root) $root.Release.Namespace (index . 1) -}}
{{- end }}

{{/*
The Alertmanagers that send to the receiver of this release, as a JSON list; none where there is no receiver. NAME stands for
those of a configuration that the chart can't see.
*/}}
{{- define "closewatch.sending" -}}
{{- $found := list -}}
{{- range $part := include "closewatch.parts" . | fromJsonArray -}}
  {{- if include "closewatch.receiver" (list $ $part) -}}
    {{- $found = concat $found (include "closewatch.senders" (list $ $part) | fromJsonArray | default (list "NAME")) -}}
  {{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end }}

{{/* What Alertmanager needs to send here: route and receiver, as text with this installation's address. Call with (list $ "name"). */}}
{{- define "closewatch.recordsFragment" -}}
{{- $shipped := "http://127.0.0.1:10188/notifications/main" -}}
{{- $text := (index . 0).Files.Get "alertmanager/records-fragment.yml" -}}
{{- if not (contains $shipped $text) -}}
{{- fail (printf "alertmanager/records-fragment.yml doesn't send to %s: was the chart copied without following its links?" $shipped) -}}
{{- end -}}
{{- $text | replace $shipped (include "closewatch.receiverUrl" .) | trimSuffix "\n" -}}
{{- end }}

{{/* The Alertmanager that reads the AlertmanagerConfig: the only one, or the one that is named. */}}
{{- define "closewatch.recordsTarget" -}}
{{- $sending := include "closewatch.sending" . | fromJsonArray -}}
{{- $hidden := or (has "NAME" $sending) (default dict .Values.config).include -}}
{{- $named := .Values.alertmanagerConfig.records.target -}}
{{- if and $named (not $hidden) (not (has $named $sending)) -}}
  {{- fail (printf "alertmanagerConfig.records.target: no Alertmanager %s sends its notifications here; there are: %s" $named (join ", " $sending)) -}}
{{- end -}}
{{- if and (not $named) (or $hidden (gt (len $sending) 1)) -}}
  {{- fail (printf "alertmanagerConfig.records.target is missing: which target of kind alertmanager reads this resource? There are: %s" (join ", " (ternary (list "some that the chart can't see") $sending (not (empty $hidden))))) -}}
{{- end -}}
{{- default (first $sending) $named -}}
{{- end }}

{{/* What can't work is refused with what to do. */}}
{{- define "closewatch.checkReceiver" -}}
{{- $config := default dict .Values.config -}}
{{- $hidden := or .Values.existingConfigMap $config.include -}}
{{- if eq (toString .Values.receiver.enabled) "true" -}}
  {{- if not (or (include "closewatch.recordsVolume" .) $config.records .Values.existingConfigMap) -}}
    {{- fail "receiver.enabled: what it takes needs config.records and a volume for it: see records" -}}
  {{- end -}}
  {{- $senders := include "closewatch.senders" (list . (dict "targets" (default list $config.targets))) | fromJsonArray -}}
  {{- if not (or $senders $hidden) -}}
    {{- fail "receiver.enabled: no target of config.targets is an Alertmanager that sends its notifications here" -}}
  {{- end -}}
{{- end -}}
{{- range $part := include "closewatch.parts" . | fromJsonArray -}}
  {{- if and (include "closewatch.receiver" (list $ $part)) (dig "postgresql" "password" "" (default dict $part.config.records)) (not $.Values.receiver.existingSecret) -}}
    {{- fail "receiver.existingSecret is missing: a Secret with the password of config.records.postgresql, and nothing else" -}}
  {{- end -}}
{{- end -}}
{{- end }}
