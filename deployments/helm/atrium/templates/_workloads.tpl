{{/* A Deployment, StatefulSet or Job: `.object`, changed by the values of its `.block` and by those for all. */}}

{{- define "atrium.workload" -}}
{{- $global := .root.Values.global -}}
{{- $block := .block -}}
{{- $spec := .object.spec -}}
{{- $template := $spec.template -}}
{{- $pod := $template.spec -}}
{{- $main := first $pod.containers -}}
{{- if hasKey $block "replicas" -}}
{{- if and (hasKey $block "autoscaling") ($block.autoscaling).enabled -}}
{{- $_ := unset $spec "replicas" -}}
{{- else -}}
{{- $_ := set $spec "replicas" $block.replicas -}}
{{- end -}}
{{- end -}}
{{- $_ := set $template.metadata "labels" (merge $template.metadata.labels $global.commonLabels) -}}
{{- $_ := include "atrium.checksum" . -}}
{{- range concat (default list $pod.initContainers) $pod.containers -}}
{{- $_ := set . "image" (include "atrium.image" (dict "root" $.root "image" .image)) -}}
{{- $_ := include "atrium.secretNames" (dict "container" . "name" (get $block "existingSecret")) -}}
{{- end -}}
{{- if $block.image -}}{{- $_ := set $main "image" $block.image -}}{{- end -}}
{{- $_ := set $main "resources" $block.resources -}}
{{- $_ := set $main "env" (concat $main.env $global.extraEnv (default list (get $block "extraEnv"))) -}}
{{- $from := concat (default list $main.envFrom) $global.extraEnvFrom (default list (get $block "extraEnvFrom")) -}}
{{- if $from -}}{{- $_ := set $main "envFrom" $from -}}{{- end -}}
{{- $_ := set $main "volumeMounts" (concat $main.volumeMounts $block.extraVolumeMounts) -}}
{{- $volumes := concat (default list $pod.volumes) $block.extraVolumes -}}
{{- if $volumes -}}{{- $_ := set $pod "volumes" $volumes -}}{{- end -}}
{{- range $name := list "nodeSelector" "tolerations" "affinity" "priorityClassName" -}}
{{- $value := default (get $global $name) (get $block $name) -}}
{{- if $value -}}{{- $_ := set $pod $name $value -}}{{- end -}}
{{- end -}}
{{- if $global.imagePullSecrets -}}{{- $_ := set $pod "imagePullSecrets" $global.imagePullSecrets -}}{{- end -}}
{{- if $global.arbitraryUser -}}
{{- $_ := set $pod "securityContext" (pick $pod.securityContext "runAsNonRoot" "seccompProfile") -}}
{{- end -}}
{{- range default list $spec.volumeClaimTemplates -}}
{{- $_ := set .spec.resources.requests "storage" $block.storage -}}
{{- if $global.storageClass -}}{{- $_ := set .spec "storageClassName" $global.storageClass -}}{{- end -}}
{{- end -}}
{{- if eq .object.kind "Job" -}}
{{- if $block.hook -}}{{- $_ := include "atrium.hook" . -}}{{- end -}}
{{- $name := regexReplaceAll "-[0-9a-f]{8}$" .object.metadata.name "" -}}
{{- $_ := set .object.metadata "name" (printf "%s-%s" $name (toJson $template | sha256sum | trunc 8)) -}}
{{- end -}}
{{- end -}}

{{/* Pods are replaced when what they are told has changed; those of a Job cannot be. */}}
{{- define "atrium.checksum" -}}
{{- $values := .root.Values -}}
{{- $notes := .object.spec.template.metadata.annotations -}}
{{- $told := dict "env" $values.global.env "url" $values.global.publicUrl "all" $values.global.config "own" .block.config -}}
{{- if ne .object.kind "Job" -}}{{- $_ := set $notes "atrium.dev/values-checksum" (toJson $told | sha256sum | trunc 16) -}}{{- end -}}
{{- $_ := mergeOverwrite $notes $values.global.podAnnotations (default dict (get .block "podAnnotations")) -}}
{{- end -}}

{{- define "atrium.image" -}}
{{- $global := .root.Values.global -}}
{{- if hasPrefix "atrium-" .image -}}
{{- $registry := ternary (printf "%s/" $global.imageRegistry) "" (ne $global.imageRegistry "") -}}
{{- $tag := default .root.Chart.AppVersion $global.imageTag -}}
{{- printf "%s%s:%s" $registry (first (splitList ":" .image)) $tag -}}
{{- else if $global.mirror -}}
{{- printf "%s/%s" $global.mirror (trimPrefix "docker.io/" .image) -}}
{{- else -}}
{{- .image -}}
{{- end -}}
{{- end -}}

{{/* Every secret is read from a Secret that exists already. */}}
{{- define "atrium.secretNames" -}}
{{- range .container.env -}}
{{- with (.valueFrom | default dict).secretKeyRef -}}{{- $_ := set . "name" $.name -}}{{- end -}}
{{- end -}}
{{- end -}}

{{/* Before an installation nothing of the release is there, so the hook needs nothing of it. */}}
{{- define "atrium.hook" -}}
{{- $pod := .object.spec.template.spec -}}
{{- $main := first $pod.containers -}}
{{- $notes := dict "helm.sh/hook" "pre-install,pre-upgrade" "helm.sh/hook-delete-policy" "before-hook-creation" -}}
{{- $_ := set .object.metadata "annotations" $notes -}}
{{- $_ := set $pod "serviceAccountName" "default" -}}
{{- $_ := unset $main "envFrom" -}}
{{- $told := list (dict "name" "ATRIUM_HOME" "value" "/var/lib/atrium") -}}
{{- range $name, $value := .block.config -}}{{- $told = append $told (dict "name" $name "value" (toString $value)) -}}{{- end -}}
{{- $_ := set $main "env" (concat $told $main.env) -}}
{{- end -}}
