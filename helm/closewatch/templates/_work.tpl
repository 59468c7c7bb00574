{{/*
The scheduled lane: a worker for what is looked at in the background, a CronJob for each restore test, and the volume with
the records that they and the exporter share. Records are one SQLite file, whose locks don't work on network file systems:
so all pods that open it run on one node.
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
{{- $records := (index . 0).Values.records -}}
{{- if or (index . 1).config.records (and (index . 0).Values.existingConfigMap (or $records.persistentVolumeClaim $records.size)) -}}
true
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

{{/*
Labels by which pods of the lane are found. Their name is another than the exporter's, whose Service and NetworkPolicy must
not find them. Call with (list $ "work" or "restore" $name).
*/}}
{{- define "closewatch.laneSelector" -}}
app.kubernetes.io/name: {{ include "closewatch.name" (index . 0) }}-{{ index . 1 }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 2 }}
{{- end }}

{{- define "closewatch.laneLabels" -}}
{{- $own := include "closewatch.laneSelector" . | fromYaml -}}
{{- toYaml (merge $own (include "closewatch.labels" (index . 0) | fromYaml)) -}}
{{- end }}

{{/* The label of every pod that opens the records, by which they find each other. */}}
{{- define "closewatch.recordsLabel" -}}
closewatch/records: {{ include "closewatch.fullname" . }}
{{- end }}

{{/*
On the node of the others that open the records. Where there is none yet, Kubernetes lets the first one in, as it is what it
looks for itself. Call with (list $ $affinity), what else is asked for.
*/}}
{{- define "closewatch.onOneNode" -}}
{{- $term := dict "topologyKey" "kubernetes.io/hostname" "labelSelector" (dict "matchLabels" (include "closewatch.recordsLabel" (index . 0) | fromYaml)) -}}
{{- $affinity := deepCopy (index . 1) -}}
{{- $pods := default dict $affinity.podAffinity -}}
{{- $key := "requiredDuringSchedulingIgnoredDuringExecution" -}}
{{- $_ := set $pods $key (append (default list (get $pods $key)) $term) -}}
{{- toYaml (set $affinity "podAffinity" $pods) -}}
{{- end }}

{{/* What can't work is refused with what to do. */}}
{{- define "closewatch.checkRecords" -}}
{{- $records := .Values.records -}}
{{- $config := default dict .Values.config -}}
{{- $hidden := or .Values.existingConfigMap $config.include -}}
{{- $volume := or $records.persistentVolumeClaim $records.size -}}
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
  {{- if and $config.records (not $volume) -}}
    {{- fail "config.records needs a volume: name a claim by records.persistentVolumeClaim, or have one made by records.size" -}}
  {{- end -}}
  {{- if and $volume (not $config.records) -}}
    {{- fail "records: nothing would be kept in that volume, as config.records is missing" -}}
  {{- end -}}
  {{- with $config.records -}}
    {{- if not (hasPrefix (printf "%s/" (trimSuffix "/" $records.mountPath)) (toString .path)) -}}
      {{- fail (printf "config.records.path: %s is not below records.mountPath %s, and would be gone with the pod" (toString .path) $records.mountPath) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if and (eq (toString .Values.worker.enabled) "true") (not $volume) -}}
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

{{/*
The spec of a pod of the lane. Call with a dict: root, part, plan (null for the worker), image, pullPolicy, args, secret,
resources, labels.
*/}}
{{- define "closewatch.lanePod" -}}
{{- $root := .root }}
{{- $mounts := concat $root.Values.mounts (default list .part.settings.mounts) }}
{{- $env := concat $root.Values.extraEnv (default list .part.settings.extraEnv) }}
serviceAccountName: {{ include "closewatch.partServiceAccount" (list $root .part) }}
automountServiceAccountToken: false
enableServiceLinks: false
# A check has a minute to clean up after itself, and then to write what it found.
terminationGracePeriodSeconds: 120
{{- if .plan }}
restartPolicy: Never
{{- end }}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  {{- with $root.Values.supplementalGroups }}
  supplementalGroups:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
containers:
  - name: closewatch
    image: {{ .image }}
    imagePullPolicy: {{ .pullPolicy }}
    args:
      {{- toYaml .args | nindent 6 }}
      - --log-format={{ $root.Values.log.format }}
      - --log-level={{ $root.Values.log.level }}
    {{- if .plan }}
    {{- $env = append $env (dict "name" "TMPDIR" "value" "/scratch") }}
    {{- end }}
    {{- with $env }}
    env:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities:
        drop: [ALL]
    {{- with .resources }}
    resources:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    volumeMounts:
      - name: config
        mountPath: /etc/closewatch
        readOnly: true
      - name: records
        mountPath: {{ $root.Values.records.mountPath }}
      - name: tmp
        mountPath: /tmp
      {{- if .plan }}
      - name: scratch
        mountPath: /scratch
      - name: shm
        mountPath: /dev/shm
      {{- end }}
      {{- if .secret }}
      - name: secrets
        mountPath: /run/secrets/closewatch
        readOnly: true
      {{- end }}
      {{- range $mount := $mounts }}
      - name: {{ $mount.name }}
        mountPath: {{ $mount.path }}
        readOnly: true
        {{- with $mount.subPath }}
        subPath: {{ . }}
        {{- end }}
      {{- end }}
      {{- with $root.Values.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
volumes:
  - name: config
    configMap:
      name: {{ default .part.name $root.Values.existingConfigMap }}
  - name: records
    persistentVolumeClaim:
      claimName: {{ include "closewatch.recordsClaim" $root }}
  - name: tmp
    emptyDir:
      sizeLimit: 256Mi
  {{- if .plan }}
  # Made for this pod and gone with it, with all that was restored.
  - name: scratch
    ephemeral:
      volumeClaimTemplate:
        metadata:
          labels:
            {{- toYaml .labels | nindent 12 }}
        spec:
          accessModes: [ReadWriteOnce]
          {{- with $root.Values.restores.volume.storageClassName }}
          storageClassName: {{ . }}
          {{- end }}
          resources:
            requests:
              storage: {{ default $root.Values.restores.volume.size .plan.size }}
  # What PostgreSQL's processes share; a container's own has 64 MB.
  - name: shm
    emptyDir:
      medium: Memory
      sizeLimit: 256Mi
  {{- end }}
  {{- if .secret }}
  - name: secrets
    secret:
      secretName: {{ .secret }}
      defaultMode: 0440
  {{- end }}
  {{- range $mount := $mounts }}
  - {{- include "closewatch.mountedVolume" $mount | nindent 4 }}
  {{- end }}
  {{- with $root.Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
affinity:
  {{- include "closewatch.onOneNode" (list $root dict) | nindent 2 }}
{{- range $key, $value := dict "nodeSelector" .nodeSelector "tolerations" .tolerations }}
{{- with $value }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}
