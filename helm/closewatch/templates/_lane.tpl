{{/*
Pods beside the exporter: the worker, restore tests, and the receiver of notifications. All of them open the records.
*/}}

{{/*
Labels by which pods of the lane are found. Their name is another than the exporter's, whose Service and NetworkPolicy must
not find them. Call with (list $ "work", "restore" or "receive" $name).
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

{{/*
The spec of such a pod. Call with a dict: root, part, plan (null but for a restore test), web and account (the receiver's
alone), image, pullPolicy, args, secret, resources, labels.
*/}}
{{- define "closewatch.lanePod" -}}
{{- $root := .root }}
{{- $kept := include "closewatch.recordsVolume" $root }}
{{- $mounts := concat $root.Values.mounts (default list .part.settings.mounts) }}
{{- $env := concat $root.Values.extraEnv (default list .part.settings.extraEnv) }}
{{- if .web }}
{{- /* Who takes what others send asks for nothing, so it gets nothing to ask with. */}}
{{- $mounts = list }}
{{- $env = list }}
{{- end }}
serviceAccountName: {{ default (include "closewatch.partServiceAccount" (list $root .part)) .account }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- if not .web }}
# A check has a minute to clean up after itself, and then to write what it found.
terminationGracePeriodSeconds: 120
{{- end }}
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
      {{- if (default dict .web).existingSecret }}
      - --web.config.file=/etc/closewatch-web/web.yml
      {{- end }}
    {{- if .plan }}
    {{- $env = append $env (dict "name" "TMPDIR" "value" "/scratch") }}
    {{- end }}
    {{- with $env }}
    env:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- if .web }}
    ports:
      - name: web
        containerPort: 10188
        protocol: TCP
    livenessProbe:
      {{- include "closewatch.probe" (list .web "/-/healthy") | nindent 6 }}
    readinessProbe:
      {{- include "closewatch.probe" (list .web "/-/healthy") | nindent 6 }}
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
      {{- if $kept }}
      - name: records
        mountPath: {{ $root.Values.records.mountPath }}
      {{- end }}
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
      {{- if (default dict .web).existingSecret }}
      - name: web
        mountPath: /etc/closewatch-web
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
  {{- if $kept }}
  - name: records
    persistentVolumeClaim:
      claimName: {{ include "closewatch.recordsClaim" $root }}
  {{- end }}
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
  {{- with (default dict .web).existingSecret }}
  - name: web
    secret:
      secretName: {{ . }}
      defaultMode: 0440
  {{- end }}
  {{- range $mount := $mounts }}
  - {{- include "closewatch.mountedVolume" $mount | nindent 4 }}
  {{- end }}
  {{- with $root.Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- if $kept }}
affinity:
  {{- include "closewatch.onOneNode" (list $root dict) | nindent 2 }}
{{- end }}
{{- range $key, $value := dict "nodeSelector" .nodeSelector "tolerations" .tolerations }}
{{- with $value }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}
