import type { ReactNode } from "react";
import type { WavePoint } from "../../view-models/contracts.js";

interface FigureProps {
	readonly title: string;
	readonly caption: string;
	readonly viewBox: string;
	readonly children: ReactNode;
}

function Figure({ title, caption, viewBox, children }: FigureProps) {
	return (
		<figure>
			<svg viewBox={viewBox} role="img" aria-label={`${title}: ${caption}`}>
				{children}
			</svg>
			<figcaption>
				<strong>{title}</strong> {caption}
			</figcaption>
		</figure>
	);
}

/** The points as a line; y runs from -1 to 1. */
export function WaveChart({ points }: { readonly points: readonly WavePoint[] }) {
	const step = 300 / Math.max(1, points.length - 1);
	const line = points.map(
		([, y], index) => `${(index * step).toFixed(1)},${(50 - 45 * Number(y)).toFixed(1)}`,
	);
	const last = points.at(-1);
	return (
		<Figure
			title="Waveform"
			caption={last ? `x ${last[0]}, y ${Number(last[1]).toFixed(2)}` : ""}
			viewBox="0 0 300 100"
		>
			<line className="axis" x1="0" x2="300" y1="50" y2="50" />
			<polyline className="wave" points={line.join(" ")} />
		</Figure>
	);
}

/** One bar per value, from 0 to 1000. */
export function BarChart({ values }: { readonly values: readonly number[] }) {
	const step = 300 / Math.max(1, values.length);
	return (
		<Figure title="Bars" caption={values.join(" ")} viewBox="0 0 300 100">
			{values.map((value, index) => {
				const height = (95 * value) / 1000;
				const x = index * step + step * 0.1;
				// biome-ignore lint/suspicious/noArrayIndexKey: a bar is its place, not its value
				return <rect key={index} className="bar" x={x} y={100 - height} width={step * 0.8} height={height} />;
			})}
			<line className="axis" x1="0" x2="300" y1="100" y2="100" />
		</Figure>
	);
}

interface Slice {
	readonly share: number;
	readonly path: string;
}

function slicesOf(shares: readonly number[]): Slice[] {
	const total = shares.reduce((sum, share) => sum + share, 0);
	if (total <= 0) return [];
	let from = 0;
	return shares.map((value) => {
		const share = value / total;
		const path = slicePath(from, from + share);
		from += share;
		return { share, path };
	});
}

function slicePath(from: number, to: number): string {
	const point = (turn: number) => {
		const angle = 2 * Math.PI * turn - Math.PI / 2;
		return `${(50 + 48 * Math.cos(angle)).toFixed(2)} ${(50 + 48 * Math.sin(angle)).toFixed(2)}`;
	};
	// An arc that ends where it begins is not drawn, so a full turn stops just short.
	const end = Math.min(to, from + 0.9999);
	return `M50 50 L${point(from)} A48 48 0 ${end - from > 0.5 ? 1 : 0} 1 ${point(end)} Z`;
}

/** The shares as slices of one whole. */
export function PieChart({ shares }: { readonly shares: readonly number[] }) {
	const slices = slicesOf(shares);
	const caption = slices.map(({ share }) => `${Math.round(share * 100)} %`).join(", ");
	return (
		<Figure title="Shares" caption={caption} viewBox="-100 0 300 100">
			{slices.map(({ path }, index) => (
				// biome-ignore lint/suspicious/noArrayIndexKey: a slice is its place, not its value
				<path key={index} className={`slice slice-${index % 3}`} d={path} />
			))}
		</Figure>
	);
}
