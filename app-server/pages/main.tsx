import dotnetify from "dotnetify";
import { createRoot } from "react-dom/client";
import { App } from "./app.js";
import { connectionChanged } from "./connection-state.js";
import "./styles.css";

const hubPath = document.querySelector<HTMLMetaElement>('meta[name="hub-path"]')?.content;
if (hubPath) dotnetify.hubPath = hubPath;
dotnetify.connectionStateHandler = connectionChanged;

const root = document.getElementById("root");
// No StrictMode: it connects every view model twice, and the client keeps one of each id only.
if (root) createRoot(root).render(<App path={location.pathname} />);
