"""GLSL of the raster renderer. Colours are linear light; pictures store their square root (gamma 2), which is cheap."""

from __future__ import annotations

from posebot.synth.optics import PIVOT

_HEADER = f"#version 330\n#define PIVOT {PIVOT}\n"  # of what writes colours

_PICTURE_VERTEX = """
uniform mat4 clip_from_world, world_from_mesh;
uniform mat3 world_from_normal;
uniform vec3 item_scale;
in vec3 in_position, in_normal, in_color;
in vec2 in_uv;
out vec3 position, normal, color, local, local_normal;
out vec2 uv;
#if HOLLOWS
in vec2 in_open;
out vec2 open;
#endif
void main() {
    vec4 world = world_from_mesh * vec4(in_position, 1.0);
    position = world.xyz;
    normal = world_from_normal * in_normal;
    color = in_color;
    local = in_position * item_scale;
    local_normal = in_normal / item_scale;
    uv = in_uv;
#if HOLLOWS
    open = in_open;
#endif
    gl_Position = clip_from_world * world;
}
"""


def picture_vertex(hollows: bool) -> str:
    """The vertex shader; `hollows`: for a scene that leaves them dark."""
    return f"#version 330\n#define HOLLOWS {int(hollows)}\n" + _PICTURE_VERTEX


def picture_fragment(texture_mode: int, glossy: bool, hollows: bool) -> str:
    """The fragment shader for one kind of surface: without texture (0), by uv (1), projected (2), worn by one that is
    projected (3); glossy or dull; with dark hollows or not.

    Software GL runs both sides of every branch, so that a shader for all kinds takes twice as long.
    """
    kinds = f"#define TEXTURE_MODE {texture_mode}\n#define GLOSSY {int(glossy)}\n#define HOLLOWS {int(hollows)}\n"
    return _HEADER + kinds + _PICTURE_FRAGMENT


# Cook-Torrance with GGX, Schlick's Fresnel and the visibility term of Karis, "Real Shading in Unreal Engine 4" (2013).
# Hollows: see `openness`; light that comes in by the walls as in Jimenez et al., "Practical Realtime Strategies for
# Accurate Indirect Occlusion" (2016). Only the first lamp casts shadows; of the others hollows lose as much.
_PICTURE_FRAGMENT = """
const int MOST_LIGHTS = 4;
uniform vec3 eye, base_color, sky, ground, gains;
uniform int light_count;
uniform float tiling, roughness, metallic, saturation, wear, contrast, vignette, occlusion;
uniform vec3 light_position[MOST_LIGHTS], light_color[MOST_LIGHTS];
uniform mat4 shadow_from_world;
uniform float shadow_blur;
uniform vec2 picture_size;
uniform sampler2D base_texture, surroundings;
uniform sampler2DShadow shadow_map;
in vec3 position, normal, color, local, local_normal;
in vec2 uv;
#if HOLLOWS
in vec2 open;
#endif
out vec4 pixel;

vec3 linear(vec3 c) { return c * c; }

#if TEXTURE_MODE == 1
vec3 texture_color() { return linear(texture(base_texture, uv).rgb); }
#elif TEXTURE_MODE >= 2
vec3 texture_color() {
    vec3 weight = abs(local_normal);
    vec3 at = local * tiling;
    vec2 place = weight.z >= max(weight.x, weight.y) ? at.xy : (weight.x >= weight.y ? at.yz : at.xz);
    return linear(texture(base_texture, place).rgb);
}
#endif

float shadow(vec3 n) {
    vec4 p = shadow_from_world * vec4(position + n * 0.004, 1.0);
    vec3 coord = p.xyz / p.w * 0.5 + 0.5;
    coord.z -= 0.0004;
    if (p.w <= 0.0 || any(lessThan(coord.xy, vec2(0.0))) || any(greaterThan(coord.xy, vec2(1.0)))) return 1.0;
    vec3 side = vec3(shadow_blur, shadow_blur * 0.4, 0.0);
    return 0.5 * (texture(shadow_map, coord + side) + texture(shadow_map, coord - side));
}

float fifth(float x) { float x2 = x * x; return x2 * x2 * x; }

vec3 mirrored(vec3 d, float lod) {
    vec2 at = d.xy / (1.0 + abs(d.z)) * 0.5 + 0.5;
    return linear(textureLod(surroundings, d.z < 0.0 ? at.yx : at, lod).rgb);
}

void main() {
    vec3 base = color;
#if TEXTURE_MODE == 3
    base *= mix(1.0, min(4.0 * dot(texture_color(), vec3(0.33)), 3.0), wear);
#elif TEXTURE_MODE > 0
    base *= texture_color();
#endif
    base = base_color * max(mix(vec3(dot(base, vec3(0.33))), base, saturation), 0.0);
    vec3 v = normalize(eye - position);
    vec3 n = normalize(normal);
    float nv = dot(n, v);
    float free = 1.0;
#if HOLLOWS
    free = pow(nv < 0.0 ? open.y : open.x, occlusion);
#endif
    if (nv < 0.0) { n = -n; nv = -nv; }
    nv = max(nv, 0.02);
    vec3 f0 = mix(vec3(0.04), base, metallic);
    vec3 diffuse = base * (1.0 - metallic);
    float a = roughness * roughness, a2 = a * a, k = a * 0.5;
    vec3 bounced = free / (1.0 - clamp(diffuse, 0.0, 0.95) * (1.0 - free));
    vec3 sum = diffuse * mix(ground, sky, n.z * 0.5 + 0.5) * bounced;
#if GLOSSY
    vec3 fresnel = f0 + (max(vec3(1.0 - roughness), f0) - f0) * fifth(1.0 - nv);
    sum += fresnel * mirrored(reflect(-v, n), roughness * 7.0) * (sky + ground) * 1.5 * free;
#endif
    for (int i = 0; i < light_count; ++i) {
        vec3 l = normalize(light_position[i] - position);
        float nl = max(dot(n, l), 0.0);
        vec3 reflected = diffuse;
#if GLOSSY
        vec3 h = normalize(l + v);
        float nh = dot(n, h), d = nh * nh * (a2 - 1.0) + 1.0;
        float gloss = a2 / (4.0 * d * d * (nv * (1.0 - k) + k) * (nl * (1.0 - k) + k));
        reflected += (f0 + (1.0 - f0) * fifth(1.0 - max(dot(h, v), 0.0))) * min(gloss, 40.0);
#endif
        sum += reflected * light_color[i] * nl * (i == 0 ? vec3(shadow(n)) : bounced);
    }
    vec2 off = gl_FragCoord.xy / picture_size - 0.5;
    sum *= gains * (1.0 - vignette * dot(off, off) * 2.0);
    sum = sum / (1.0 + 0.18 * sum) * 1.1;
    pixel = vec4(clamp((sqrt(sum) - PIVOT) * contrast + PIVOT, 0.0, 1.0), 1.0);
}
"""

BACKDROP_VERTEX = """
#version 330
uniform vec4 window;
out vec2 uv;
void main() {
    vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
    uv = mix(window.xy, window.zw, corner);
    gl_Position = vec4(corner * 2.0 - 1.0, 1.0, 1.0);
}
"""

BACKDROP_FRAGMENT = _HEADER + """
uniform sampler2D picture;
uniform vec3 gains;
uniform float contrast;
in vec2 uv;
out vec4 pixel;
void main() {
    vec3 c = texture(picture, uv).rgb;
    pixel = vec4(clamp((sqrt(c * c * gains) - PIVOT) * contrast + PIVOT, 0.0, 1.0), 1.0);
}
"""

LABEL_VERTEX = """
#version 330
uniform mat4 cam_from_mesh, clip_from_cam;
in vec3 in_position;
out float z;
void main() {
    vec4 cam = cam_from_mesh * vec4(in_position, 1.0);
    z = cam.z;
    gl_Position = clip_from_cam * cam;
}
"""

LABEL_FRAGMENT = """
#version 330
uniform float number;
in float z;
layout(location = 0) out vec2 label;
void main() { label = vec2(z, number); }
"""

SHADOW_VERTEX = """
#version 330
uniform mat4 shadow_from_mesh;
in vec3 in_position;
void main() { gl_Position = shadow_from_mesh * vec4(in_position, 1.0); }
"""

SHADOW_FRAGMENT = """
#version 330
void main() {}
"""
