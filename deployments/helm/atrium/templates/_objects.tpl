{{/*
The objects of files/objects.json, changed by the values. Each `define` below changes what it is given and
writes nothing; only "atrium.object" writes. `.entry` is an entry of that file, `.root` the chart's own dot.
*/}}

{{- define "atrium.wanted" -}}
{{- $values := .root.Values -}}
{{- $object := .entry.object -}}
{{- $wanted := true -}}
{{- $elsewhere := include "atrium.elsewhere" . -}}
{{- range .entry.needs -}}
{{- if and (ne . $elsewhere) (eq (get (index $values .) "deploy" | toString) "false") -}}{{- $wanted = false -}}{{- end -}}
{{- end -}}
{{- if and (eq $object.kind "NetworkPolicy") (not $values.networkPolicies.enabled) -}}{{- $wanted = false -}}{{- end -}}
{{- if and (eq $object.metadata.name "providers") (not $values.networkPolicies.providers) -}}{{- $wanted = false -}}{{- end -}}
{{- if and (eq $object.kind "Ingress") (not $values.ingress.enabled) -}}{{- $wanted = false -}}{{- end -}}
{{- if eq $object.kind "HorizontalPodAutoscaler" -}}
{{- if not (index $values .entry.component).autoscaling.enabled -}}{{- $wanted = false -}}{{- end -}}
{{- end -}}
{{- if $wanted -}}true{{- end -}}
{{- end -}}

{{/* The store that the object is a way out to, when it runs elsewhere. */}}
{{- define "atrium.elsewhere" -}}
{{- $policies := .root.Values.networkPolicies -}}
{{- if and (eq .entry.object.kind "NetworkPolicy") (hasKey .entry.object.spec "egress") (eq (len .entry.needs) 2) -}}
{{- $store := last .entry.needs -}}
{{- if and (hasKey $policies.storesPorts $store) (not (index .root.Values $store).deploy) -}}{{- $store -}}{{- end -}}
{{- end -}}
{{- end -}}

{{- define "atrium.object" -}}
{{- $values := .root.Values -}}
{{- $object := .entry.object -}}
{{- $block := dict -}}
{{- if .entry.component -}}{{- $block = index $values .entry.component -}}{{- end -}}
{{- $_ := set $object.metadata "namespace" .root.Release.Namespace -}}
{{- $_ := set $object.metadata "labels" (merge $object.metadata.labels (include "atrium.labels" .root | fromYaml)) -}}
{{- $context := dict "root" .root "object" $object "block" $block -}}
{{- if has $object.kind (list "Deployment" "StatefulSet" "Job") -}}
{{- $_ := include "atrium.workload" $context -}}
{{- else if eq $object.kind "ConfigMap" -}}
{{- $_ := include "atrium.configMap" $context -}}
{{- else if eq $object.kind "HorizontalPodAutoscaler" -}}
{{- $_ := set $object.spec "minReplicas" $block.replicas -}}
{{- $_ := set $object.spec "maxReplicas" $block.autoscaling.replicasMax -}}
{{- $_ := set (first $object.spec.metrics).resource.target "averageUtilization" $block.autoscaling.cpuPercent -}}
{{- else if eq $object.kind "Ingress" -}}
{{- $_ := include "atrium.ingress" $context -}}
{{- else if include "atrium.elsewhere" . -}}
{{- $port := dict "protocol" "TCP" "port" (index $values.networkPolicies.storesPorts (last .entry.needs)) -}}
{{- $to := dict "ipBlock" (dict "cidr" $values.networkPolicies.storesNetwork) -}}
{{- $_ := set $object.metadata "name" (printf "%s-elsewhere" $object.metadata.name) -}}
{{- $_ := set $object.spec "egress" (list (dict "to" (list $to) "ports" (list $port))) -}}
{{- end -}}
{{- toYaml $object -}}
{{- end -}}

{{- define "atrium.labels" -}}
{{- $own := dict "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version) "app.kubernetes.io/managed-by" .Release.Service "app.kubernetes.io/instance" .Release.Name -}}
{{- toYaml (merge $own .Values.global.commonLabels) -}}
{{- end -}}

{{- define "atrium.configMap" -}}
{{- $values := .root.Values -}}
{{- $data := .object.data -}}
{{- if eq .object.metadata.name "atrium" -}}
{{- $_ := set $data "ENV" $values.global.env -}}
{{- $_ := set $data "PUBLIC_URL" $values.global.publicUrl -}}
{{- $data = mergeOverwrite $data $values.global.config -}}
{{- else -}}
{{- $data = mergeOverwrite $data .block.config -}}
{{- end -}}
{{- range $name, $value := $data -}}{{- $_ := set $data $name (toString $value) -}}{{- end -}}
{{- end -}}

{{- define "atrium.ingress" -}}
{{- $values := .root.Values -}}
{{- $host := regexReplaceAll "^https?://|:[0-9]+$" $values.global.publicUrl "" -}}
{{- $spec := .object.spec -}}
{{- $_ := set (first $spec.rules) "host" $host -}}
{{- if $values.ingress.tlsSecret -}}
{{- $_ := set $spec "tls" (list (dict "hosts" (list $host) "secretName" $values.ingress.tlsSecret)) -}}
{{- else -}}
{{- $_ := unset $spec "tls" -}}
{{- end -}}
{{- if $values.ingress.className -}}{{- $_ := set $spec "ingressClassName" $values.ingress.className -}}{{- end -}}
{{- $_ := mergeOverwrite .object.metadata.annotations $values.ingress.annotations -}}
{{- end -}}
