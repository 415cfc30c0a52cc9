// What the page uses of three.js. Bundled into three.min.js, see README.md.
export {
  AxesHelper, BufferAttribute, BufferGeometry, DirectionalLight, GridHelper, Group, HemisphereLight, Line, LineBasicMaterial,
  LineSegments, Matrix4, Mesh, MeshBasicMaterial, MeshLambertMaterial, PerspectiveCamera, Raycaster, Scene, SphereGeometry,
  Vector2, Vector3, WebGLRenderer, WireframeGeometry,
} from "three";
export { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
