{{/*
The scheduled lane: a worker for what is looked at in the background, a CronJob for each restore test, and the volume with
the records that they and the exporter share. Records in one SQLite file, whose locks don't work on network file systems,
bind all pods that open it to one node; those in PostgreSQL bind none.
*/}}

{{/* "true" where a target has scheduled checks. */}}
{{- define "closewatch.scheduled" -}}
{{- $kind := toString .kind -}}
{{- $more := or (not (kindIs "invalid" .posture)) (not (kindIs "invalid" .verify)) -}}
{{- if or (eq $kind "restores") (eq $kind "alertmanager") (and (eq $kind "backups") $more) -}}true{{- end -}}
{{- end }}

{{/* Kinds of which a target may have scheduled checks. By concern, the processes of no others open the records. */}}
{{- define "closewatch.recording" -}}
- alertmanager
- backups
- restores
{{- end }}

{{/* "true" where a part opens the records. Call with (list $ $part). */}}
{{- define "closewatch.recorded" -}}
{{- $values := (index . 0).Values -}}
{{- $wanted := or (eq (toString $values.worker.enabled) "true") (eq (toString $values.receiver.enabled) "true") -}}
{{- if or (index . 1).config.records (and $values.existingConfigMap (or (include "closewatch.recordsVolume" (index . 0)) $wanted)) -}}
true
{{- end -}}
{{- end }}

{{/* "true" where the records are in a volume. */}}
{{- define "closewatch.recordsVolume" -}}
{{- if or .Values.records.persistentVolumeClaim .Values.records.size -}}true{{- end -}}
{{- end }}

{{/* The records as something that is reached, as a JSON list of targets. Call with (list $ $part). */}}
{{- define "closewatch.recordsReached" -}}
{{- with (default dict (index . 1).config.records).postgresql -}}
{{- toJson (list (dict "kind" "postgresql" "hosts" .hosts)) -}}
{{- else -}}
[]
{{- end -}}
{{- end }}

{{/* The claim with the records. */}}
{{- define "closewatch.recordsClaim" -}}
{{- default (printf "%s-records" (include "closewatch.fullname" .)) .Values.records.persistentVolumeClaim -}}
{{- end }}

{{/* Restore tests of a part that are carried out here, as a JSON list of targets. Call with (list $ $part). */}}
{{- define "closewatch.plans" -}}
{{- $found := list -}}
{{- if ne (toString (index . 0).Values.restores.enabled) "false" -}}
  {{- range $target := (index . 1).targets -}}
    {{- if eq (toString $target.kind) "restores" -}}{{- $found = append $found $target -}}{{- end -}}
  {{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end }}

{{/* "true" where a part has a worker. Restore tests are not its work: they need PostgreSQL and room. */}}
{{- define "closewatch.worker" -}}
{{- $values := (index . 0).Values -}}
{{- $wanted := toString $values.worker.enabled -}}
{{- if include "closewatch.recorded" . -}}
  {{- if or (eq $wanted "true") (and (eq $wanted "auto") (not $values.existingConfigMap)) -}}true{{- end -}}
{{- end -}}
{{- end }}

{{/* The targets of a part that the worker looks at, as a JSON list; others stay in its file, as some belong to them. */}}
{{- define "closewatch.lookedAt" -}}
{{- $found := list -}}
{{- range $target := (index . 1).targets -}}
  {{- if and (ne (toString $target.kind) "restores") (include "closewatch.scheduled" $target) -}}
    {{- $found = append $found $target -}}
  {{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end }}

{{/* The worker's configuration: all but the restore tests. */}}
{{- define "closewatch.workConfig" -}}
{{- $part := index . 1 -}}
{{- $targets := list -}}
{{- range $target := $part.targets -}}
  {{- if ne (toString $target.kind) "restores" -}}{{- $targets = append $targets $target -}}{{- end -}}
{{- end -}}
{{- toYaml (set (omit $part.config "targets") "targets" $targets) -}}
{{- end }}

{{/* A name for a plan's objects: at most 52 characters, as Kubernetes adds to a CronJob's. Call with (list $ "plan"). */}}
{{- define "closewatch.planName" -}}
{{- $whole := printf "%s-restore-%s" (include "closewatch.fullname" (index . 0)) (index . 1) -}}
{{- $plain := regexReplaceAll "[^a-z0-9-]" (lower $whole) "-" -}}
{{- if and (eq $plain $whole) (le (len $plain) 52) (not (hasSuffix "-" $plain)) -}}
{{- $plain -}}
{{- else -}}
{{- printf "%s-%s" (trunc 43 $plain | trimSuffix "-") (sha256sum $whole | trunc 8) -}}
{{- end -}}
{{- end }}

{{/* What the values say of a plan alone. Call with (list $ "plan"). */}}
{{- define "closewatch.planSettings" -}}
{{- toJson (default dict (get (index . 0).Values.restores.plans (index . 1))) -}}
{{- end }}

{{/* The restore runner's image for a plan: of the major version that it asks for. Call with (list $ "plan"). */}}
{{- define "closewatch.restoreImage" -}}
{{- $root := index . 0 -}}
{{- $restores := $root.Values.restores -}}
{{- $own := include "closewatch.planSettings" . | fromJson -}}
{{- $digest := $own.digest -}}
{{- if not (or $digest $own.postgresql) -}}{{- $digest = $restores.image.digest -}}{{- end -}}
{{- if $digest -}}
{{- printf "%s@%s" $restores.image.repository $digest -}}
{{- else -}}
{{- printf "%s:%s-pg%v" $restores.image.repository (default $root.Chart.AppVersion $restores.image.tag) (default $restores.postgresql $own.postgresql) -}}
{{- end -}}
{{- end }}

{{/* What can't work is refused with what to do. */}}
{{- define "closewatch.checkRecords" -}}
{{- $records := .Values.records -}}
{{- $config := default dict .Values.config -}}
{{- $hidden := or .Values.existingConfigMap $config.include -}}
{{- $volume := include "closewatch.recordsVolume" . -}}
{{- $server := (default dict $config.records).postgresql -}}
{{- $plans := list -}}
{{- if and $records.persistentVolumeClaim $records.size -}}
  {{- fail "records: name a claim by persistentVolumeClaim, or a size, not both" -}}
{{- end -}}
{{- if not .Values.existingConfigMap -}}
  {{- range $target := default list $config.targets -}}
    {{- if and (include "closewatch.scheduled" $target) (not $config.records) -}}
      {{- fail (printf "config.targets: %s has scheduled checks, whose results need config.records, such as {path: %s/records.db}" (toString $target.name) $records.mountPath) -}}
    {{- end -}}
    {{- if eq (toString $target.kind) "restores" -}}
      {{- $plans = append $plans (required "config.targets: a target of kind restores has no name" $target.name) -}}
      {{- if and $target.scratch (not (regexMatch "^/scratch(/|$)" $target.scratch)) -}}
        {{- fail (printf "config.targets: %s: leave scratch out: restored data live in the volume of restores.volume, at /scratch" $target.name) -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
  {{- if and $server $volume -}}
    {{- fail "records: nothing would be kept in that volume, as config.records.postgresql says where" -}}
  {{- end -}}
  {{- if and $config.records (not $server) (not $volume) -}}
    {{- fail "config.records needs a volume: name a claim by records.persistentVolumeClaim, or have one made by records.size" -}}
  {{- end -}}
  {{- if and $volume (not $config.records) -}}
    {{- fail "records: nothing would be kept in that volume, as config.records is missing" -}}
  {{- end -}}
  {{- if and $config.records (not $server) -}}
    {{- with $config.records -}}
    {{- if not (hasPrefix (printf "%s/" (trimSuffix "/" $records.mountPath)) (toString .path)) -}}
      {{- fail (printf "config.records.path: %s is not below records.mountPath %s, and would be gone with the pod" (toString .path) $records.mountPath) -}}
    {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if and (gt (int .Values.worker.replicas) 1) $volume -}}
  {{- fail "worker.replicas: several workers share records in PostgreSQL alone: see config.records.postgresql" -}}
{{- end -}}
{{- if and (eq (toString .Values.worker.enabled) "true") (not (or $volume $server .Values.existingConfigMap)) -}}
  {{- fail "worker.enabled: what it finds needs config.records and a volume for it: see records" -}}
{{- end -}}
{{- if and (eq (toString .Values.restores.enabled) "true") (not $plans) -}}
  {{- fail (printf "restores.enabled: %s" (ternary "the chart can't see the plans of an existingConfigMap or of config.include" "no target of config.targets is of kind restores" (not (empty $hidden)))) -}}
{{- end -}}
{{- range $name, $_ := .Values.restores.plans -}}
  {{- if not (has $name $plans) -}}
    {{- fail (printf "restores.plans.%s: no target of kind restores has this name; there are: %s" $name (default "none" ($plans | sortAlpha | join ", "))) -}}
  {{- end -}}
{{- end -}}
{{- end }}
