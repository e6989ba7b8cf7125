import { useId } from "react";

interface TextFieldProps {
	readonly label: string;
	readonly value: string;
	readonly disabled: boolean;
	readonly maxLength?: number;
	readonly placeholder?: string;
	onChange(value: string): void;
}

/** A one-line text field with its label. */
export function TextField({ label, onChange, maxLength = 50, ...input }: TextFieldProps) {
	const id = useId();
	return (
		<div className="field">
			<label htmlFor={id}>{label}</label>
			<input
				{...input}
				id={id}
				type="text"
				autoComplete="off"
				maxLength={maxLength}
				onChange={(event) => onChange(event.currentTarget.value)}
			/>
		</div>
	);
}

/** What went wrong on the server, read out when it appears. */
export function Problem({ text }: { readonly text: string | undefined }) {
	return text === undefined ? null : (
		<p className="problem" role="alert">
			{text}
		</p>
	);
}
